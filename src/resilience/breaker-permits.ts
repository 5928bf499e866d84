import type { BoundLeave, Permit } from '../core/guard.ts'

/** The breaker as its permits see it. */
export interface Listening {
  readonly timed: boolean | 'leave'
  told(epoch: ClosedEpoch, ok: boolean, result: unknown, enteredMs: number, nowMs: number): void
  probed(probe: Probe, ok: boolean, result: unknown): void
}

/** The permit of every call admitted while closed, until the breaker leaves that state: late outcomes find another epoch. */
export class ClosedEpoch implements Permit {
  readonly #breaker: Listening
  constructor(breaker: Listening) {
    this.#breaker = breaker
  }
  leave(ok: boolean, result: unknown, enteredMs: number, nowMs: number): void {
    this.#breaker.told(this, ok, result, enteredMs, nowMs)
  }
}

/** The same for a breaker that never looks at the clock. */
class BoundEpoch extends ClosedEpoch {
  #bound: BoundLeave | null = null

  /** Made at the first call. */
  get bound(): BoundLeave {
    this.#bound ??= boundTo(this)
    return this.#bound
  }
}

function boundTo(epoch: ClosedEpoch): BoundLeave {
  return {
    ok: (value) => {
      epoch.leave(true, value, 0, 0)
      return value
    },
    bad: (error) => {
      epoch.leave(false, error, 0, 0)
      throw error
    },
  }
}

export const newEpoch = (breaker: Listening): ClosedEpoch => (breaker.timed === false ? new BoundEpoch(breaker) : new ClosedEpoch(breaker))

/** The permit of one probe. */
export class Probe implements Permit {
  readonly startedMs: number
  readonly #breaker: Listening
  constructor(breaker: Listening, startedMs: number) {
    this.#breaker = breaker
    this.startedMs = startedMs
  }
  leave(ok: boolean, result: unknown): void {
    this.#breaker.probed(this, ok, result)
  }
}

/** The permit of a call that a breaker which only measures would have refused: its outcome decides nothing. */
export const UNHEARD: Permit = { leave() {} }
