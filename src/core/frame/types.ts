import type { Ctx } from '../ctx.ts'
import type { HoldfastError } from '../errors.ts'
import type { Guard, Permit } from '../guard.ts'
import type { Due } from '../timer-list.ts'
import type { Way } from './way.ts'

/**
 * A composed handler on the inside. `ctx` undefined: the call began without one; whoever first needs a context makes it.
 * `quiet`: a refusal of the outermost frame comes back as an `Outcome`, not as a rejection.
 */
export interface Next {
  (input: unknown, ctx: Ctx | undefined, quiet?: boolean): unknown
  /** It answers a caller who gives up at once by itself, and leaves the caller's context when it ends. */
  answersAborts?: boolean
}

/** What a retry does instead of wrapping the frame: answers for a call that failed. `call` is the context the first attempt had. */
export type Rescue = (
  input: unknown,
  outer: Ctx | undefined,
  error: unknown,
  call: Ctx & { readonly enteredMs: number },
) => Promise<unknown>

/** A call as a racer sees it. */
export interface RacingCall extends Due {
  limitMs: number | null
  /** The call's deadline so far, moved to the frame's clock; null for none. */
  limitOnFrame(nowMs: number): number | null
}

/** A guard that may answer in the work's place: it sets the call's deadline and is told by its timer. At most one per frame. */
export interface Racer extends Guard, Permit {
  readonly races: true
  /** Arms the call's deadline; a refusal where the deadline has already passed. */
  arm(call: RacingCall, nowMs: number): HoldfastError | undefined
  disarm(call: RacingCall): void
  /** The error of a call that is late. `started`: whether the work had begun. */
  late(started: boolean): HoldfastError
}

/** Consecutive guards that run in one async frame. */
export interface Frame extends Way {
  readonly guards: readonly Guard[]
  readonly racer: Racer | null
  /** The racer's index; -1 for none. */
  readonly racerAt: number
  readonly rescue: Rescue | null
}
