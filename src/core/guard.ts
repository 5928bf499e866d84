import type { Clock } from './clock.ts'
import type { Context } from './context.ts'
import type { HoldfastError } from './errors.ts'
import type { Waiting } from './waiting.ts'

/** A context as guards see it: what a queue needs, without making an AbortSignal. */
export interface GuardContext extends Context {
  /** Whether it can be aborted at all. */
  readonly live: boolean
  readonly reason: unknown
  listen(waiting: Waiting): void
  unlisten(waiting: Waiting): void
}

/** A "no" before the work began: effect none, usually retry later. Made with `refusal()`: without a stack. */
export type Refusal = HoldfastError

/** Leave to run. Permits are shared objects (one per breaker epoch, one per bulkhead), never made per call. */
export interface Permit {
  /** The caller is answered. Once. `enteredMs` and `nowMs` are 0 unless some guard of the frame is `timed` so. Never throws. */
  leave(ok: boolean, result: unknown, enteredMs: number, nowMs: number): void
  /** The work, and whatever it holds, is over. Once, after `leave`. Between the two the call is abandoned. Never throws. */
  release?(): void
  /**
   * `leave` bound as the two callbacks of a promise, made once per permit: a frame of this one guard then makes no closure per call.
   * Only for permits without `release` whose `leave` needs no times.
   */
  readonly bound?: BoundLeave | undefined
}

export interface BoundLeave {
  readonly ok: (value: unknown) => unknown
  readonly bad: (error: unknown) => never
}

/**
 * A policy that only admits and accounts. Consecutive guards are fused into one frame: they cost little more together than one alone.
 *
 * For each admitted call, when the work ends: innermost first, `leave` then `release` per guard. A guard is never told anything of a
 * call that it refused, and of one that it admitted but an inner guard refused it is told `leave(false, refusal)`.
 */
export interface Guard {
  readonly name: string
  /** When the frame reads the clock for it: on the way in, when the work has ended, both (`true`), or never (absent, `false`). */
  readonly timed?: boolean | 'enter' | 'leave'
  /** Its permit outlives the answer (a bulkhead's slot): `ctx.hold()` then binds to this call. */
  readonly keeps?: boolean
  /** May answer in the work's place (timeout). Guards made by users do not. */
  readonly races?: boolean
  /** Absent: the default clock, if it is `timed`; else it does not matter. Guards on different clocks are not fused. */
  readonly clock?: Clock
  /** Never throws; returns a promise only where the call has to wait. The promise never rejects: it resolves to a refusal. */
  enter(ctx: GuardContext, nowMs: number): Permit | Refusal | Promise<Permit | Refusal>
}

type Entry = Permit | Refusal | Promise<Permit | Refusal>

export const isPermit = (entry: Entry): entry is Permit => (entry as Permit).leave !== undefined
export const isPending = (entry: Entry): entry is Promise<Permit | Refusal> => (entry as Promise<unknown>).then !== undefined
