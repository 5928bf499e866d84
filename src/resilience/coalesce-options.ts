import type { CallKey } from './call-key.ts'

export interface CoalesceOptions {
  /** Which calls are one: the name of a key in `ctx.keys`, or a function of the context and the handler's input; `undefined` runs alone. */
  readonly by: CallKey
  /** Default `coalesce`. */
  readonly name?: string
}

export interface CoalesceStats {
  readonly calls: number
  /** Calls that joined one that was already running. */
  readonly joined: number
  /** Executions running now. */
  readonly running: number
}

export type CoalesceEvents = { readonly joined: { readonly name: string; readonly key: string } }
