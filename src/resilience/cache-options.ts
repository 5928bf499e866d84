import type { Clock } from '../core/clock.ts'
import type { CallKey } from './call-key.ts'

/** What of a cache may be changed while it works. */
export interface CacheSettings {
  /** How long an answer is fresh, in milliseconds; at least 1. */
  readonly ttlMs: number
  /** How much longer it may serve when the work fails, in milliseconds; default 0: not at all. */
  readonly staleIfErrorMs?: number
  /** How many answers are kept, over all handlers it wraps; at least 1, default 1,000. The one longest unused makes room. */
  readonly keysMax?: number
}

export interface CacheOptions extends CacheSettings {
  /** Which calls have the same answer: the name of a key in `ctx.keys`, or a function of the context and the handler's input; `undefined` is not cached. */
  readonly by: CallKey
  /** Default `cache`. */
  readonly name?: string
  readonly clock?: Clock
}

export interface CacheStats {
  readonly entries: number
  /** Calls answered with a fresh entry. */
  readonly hits: number
  /** Calls for which the work was asked, or that joined one who asked. */
  readonly misses: number
  /** Calls answered with a stale entry because the work failed. */
  readonly stale: number
}

export type CacheEvents = {
  readonly hit: { readonly name: string; readonly key: string }
  readonly missed: { readonly name: string; readonly key: string }
  readonly stale: { readonly name: string; readonly key: string; readonly error: unknown }
}
