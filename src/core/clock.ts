import { singleton } from './singleton.ts'

/** A timer that was set; clearing it twice, or after it fired, does nothing. */
export interface Timer {
  clear(): void
}

/** Where time comes from. Hand in a test clock to make time virtual; everything holdfast does with time goes through one of these. */
export interface Clock {
  /** Monotonic milliseconds with a fraction; only differences mean anything. */
  nowMs(): number
  /** Wall-clock milliseconds since 1970, for what is stored or shown. */
  epochMs(): number
  /**
   * Calls `fire` once, `delayMs` from now at the earliest.
   * `background: true` lets the process exit while the timer is pending.
   */
  setTimer(fire: () => void, delayMs: number, options?: { readonly background?: boolean }): Timer
}

/** Node's timers fire at once for anything longer; a longer delay is set in hops. */
const TIMER_MAX_MS = 2_147_483_647

class NodeTimer implements Timer {
  #timer: NodeJS.Timeout
  constructor(fire: () => void, delayMs: number, background: boolean) {
    this.#timer = this.#set(fire, delayMs, background)
  }
  #set(fire: () => void, delayMs: number, background: boolean): NodeJS.Timeout {
    const hop = delayMs > TIMER_MAX_MS
    const timer = setTimeout(
      hop
        ? () => {
            this.#timer = this.#set(fire, delayMs - TIMER_MAX_MS, background)
          }
        : fire,
      hop ? TIMER_MAX_MS : delayMs,
    )
    if (background) timer.unref()
    return timer
  }
  clear(): void {
    clearTimeout(this.#timer)
  }
}

// Read from the globals at each call, so that a test framework's fake timers work.
const nodeClock: Clock = {
  nowMs: () => performance.now(),
  epochMs: () => Date.now(),
  setTimer: (fire, delayMs, options) => new NodeTimer(fire, delayMs, options?.background === true),
}

interface Seat {
  clock: Clock
}
const seat: Seat = /* @__PURE__ */ singleton('clock', () => ({ clock: nodeClock }))

/** The clock that is used where none is handed in. Bound at each use: what `useClock` puts in its place counts from then on. */
export const defaultClock: Clock = {
  nowMs: () => seat.clock.nowMs(),
  epochMs: () => seat.clock.epochMs(),
  setTimer: (fire, delayMs, options) => seat.clock.setTimer(fire, delayMs, options),
}

/** Replaces the default clock of the process; returns a function that puts the former one back. For tests. */
export function useClock(clock: Clock): () => void {
  const former = seat.clock
  seat.clock = clock
  return () => {
    seat.clock = former
  }
}
