import type { Clock } from '../core/clock.ts'
import type { Context } from '../core/context.ts'

export interface KeyedOptions {
  /** What chooses the policy: `'tenant'`, or a name in `ctx.keys` such as `'host'`, or a function of the context. */
  readonly by: string | ((ctx: Context) => string)
  /** How many keys are kept; at least 1, default 1,000. The one longest unused makes room, unless it has calls in flight. */
  readonly keysMax?: number
  /** A key unused for this long is forgotten when calls of others come by; at least 1 ms, default 600,000. */
  readonly idleMs?: number
  /** Above this share of keys with an open breaker, calls go past the policy of their key; 0 to 1, default 1: never. */
  readonly ejectedMaxShare?: number
  /** Stands for it in errors and metrics; default `keyed`. */
  readonly name?: string
  readonly clock?: Clock
}

export interface KeyedStats {
  /** Keys known now. */
  readonly keys: number
  /** Keys whose breaker refused, and whose open time is not over. */
  readonly ejected: number
  readonly created: number
  readonly evicted: number
  /** Calls that went past their key's policy because too many keys were ejected. */
  readonly panicked: number
  /** Calls refused because every one of `keysMax` keys had calls in flight. */
  readonly refused: number
}

export type KeyedEvents = {
  readonly created: { readonly name: string; readonly key: string }
  readonly evicted: { readonly name: string; readonly key: string }
  readonly panicked: { readonly name: string; readonly key: string }
}
