import { checkOptions, invalidOption } from '../core/options.ts'
import { durationMs, optional, ratio, required, whole } from '../core/rules.ts'

/** What is counted until a breaker trips. Made per breaker by a `Trip`; touched only by its breaker. */
export interface Tally {
  /** Counts one outcome; true: trip now. */
  record(failed: boolean, tookMs: number, nowMs: number): boolean
  /** Forgets everything. */
  reset(nowMs: number): void
}

/** When a circuit breaker opens. Made by `consecutive`, `countWindow` and `timeWindow`. */
export interface Trip {
  readonly kind: 'consecutive' | 'count-window' | 'time-window'
  /** Whether it looks at the clock: `'leave'`, only when a call ends; `true`, also at how long it took. */
  readonly timed: boolean | 'leave'
  tally(nowMs: number): Tally
}

/**
 * Trips after `failures` failures in a row.
 *
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none) unless a whole number of at least 1.
 */
export function consecutive(failures: number): Trip {
  if (!Number.isSafeInteger(failures) || failures < 1)
    throw invalidOption('consecutive', 'failures', 'a whole number of at least 1', failures)
  return {
    kind: 'consecutive',
    timed: false,
    tally: () => {
      let inRow = 0
      return {
        record(failed) {
          inRow = failed ? inRow + 1 : 0
          return inRow >= failures
        },
        reset() {
          inRow = 0
        },
      }
    },
  }
}

export interface CountWindowOptions {
  /** How many of the latest calls are looked at; 1 to 100,000. */
  readonly calls: number
  /** Trips at this share of failures; above 0, at most 1, default 0.5. */
  readonly failureRatio?: number
  /** Not before this many calls are known; at most `calls`, default `calls`. */
  readonly minimumCalls?: number
}

/** Trips when the latest `calls` calls have failed at the ratio. @throws {HoldfastError} `INVALID_OPTIONS` (effect none). */
export function countWindow(options: CountWindowOptions): Trip {
  const checked = checkOptions('countWindow', options, {
    calls: required(whole({ min: 1, max: 100_000, default: 1 })),
    failureRatio: ratio({ min: Number.MIN_VALUE, default: 0.5 }),
    minimumCalls: optional(whole({ min: 1, max: 100_000, default: 1 })),
  })
  const { calls, failureRatio, minimumCalls = calls } = checked
  if (minimumCalls > calls) throw invalidOption('countWindow', 'minimumCalls', `at most calls (${calls})`, minimumCalls)
  return { kind: 'count-window', timed: false, tally: () => new CountTally(calls, failureRatio, minimumCalls) }
}

class CountTally implements Tally {
  readonly #failed: Uint8Array
  readonly #ratio: number
  readonly #minimum: number
  #at = 0
  #known = 0
  #failures = 0

  constructor(calls: number, failureRatio: number, minimumCalls: number) {
    this.#failed = new Uint8Array(calls)
    this.#ratio = failureRatio
    this.#minimum = minimumCalls
  }

  record(failed: boolean): boolean {
    const cells = this.#failed
    if (this.#known === cells.length) this.#failures -= cells[this.#at] as number
    else this.#known += 1
    cells[this.#at] = failed ? 1 : 0
    if (failed) this.#failures += 1
    this.#at = (this.#at + 1) % cells.length
    // A division: of the products some miss by a rounding (0.55 * 100 is more than 55).
    return failed && this.#known >= this.#minimum && this.#failures / this.#known >= this.#ratio
  }

  reset(): void {
    this.#failed.fill(0)
    this.#at = 0
    this.#known = 0
    this.#failures = 0
  }
}

export interface TimeWindowOptions {
  /** How far back calls count, in milliseconds; at least 10. Kept in ten buckets: a call is forgotten after nine to ten tenths of it. */
  readonly windowMs: number
  /** Trips at this share of failures; above 0, at most 1, default 0.5. */
  readonly failureRatio?: number
  /** Not before this many calls are in the window; default 10. */
  readonly minimumCalls?: number
  /** A call that takes longer is slow; default none is. */
  readonly slowCallMs?: number
  /** Trips at this share of slow calls; above 0, at most 1, default 1; only beside `slowCallMs`. */
  readonly slowRatio?: number
}

/** Trips when calls of the last `windowMs` failed, or were slow, at the ratio. @throws {HoldfastError} `INVALID_OPTIONS` (effect none). */
export function timeWindow(options: TimeWindowOptions): Trip {
  const checked = checkOptions('timeWindow', options, {
    windowMs: required(durationMs({ min: BUCKETS, default: 10_000 })),
    failureRatio: ratio({ min: Number.MIN_VALUE, default: 0.5 }),
    minimumCalls: whole({ min: 1, default: 10 }),
    slowCallMs: { ...durationMs({ default: 0 }), absent: Number.POSITIVE_INFINITY },
    slowRatio: ratio({ min: Number.MIN_VALUE, default: 1 }),
  })
  if (options.slowRatio !== undefined && options.slowCallMs === undefined)
    throw invalidOption('timeWindow', 'slowRatio', 'given beside slowCallMs, without which no call is slow', options.slowRatio)
  return {
    kind: 'time-window',
    timed: checked.slowCallMs === Number.POSITIVE_INFINITY ? 'leave' : true,
    tally: (nowMs) => new TimeTally(checked, nowMs),
  }
}

const BUCKETS = 10
/** Calls, failures, slow calls. */
const CELLS = 3

class TimeTally implements Tally {
  readonly #cells = new Uint32Array(BUCKETS * CELLS)
  readonly #options: Required<TimeWindowOptions>
  readonly #bucketMs: number
  #at = 0
  #bucketStartMs: number
  #calls = 0
  #failures = 0
  #slow = 0

  constructor(options: Required<TimeWindowOptions>, nowMs: number) {
    this.#options = options
    this.#bucketMs = options.windowMs / BUCKETS
    this.#bucketStartMs = nowMs
  }

  record(failed: boolean, tookMs: number, nowMs: number): boolean {
    if (nowMs - this.#bucketStartMs >= this.#bucketMs) this.#rotate(nowMs)
    const { minimumCalls, failureRatio, slowCallMs, slowRatio } = this.#options
    const cells = this.#cells
    const slow = tookMs > slowCallMs
    ;(cells[this.#at] as number) += 1
    this.#calls += 1
    if (failed) {
      ;(cells[this.#at + 1] as number) += 1
      this.#failures += 1
    }
    if (slow) {
      ;(cells[this.#at + 2] as number) += 1
      this.#slow += 1
    }
    if (this.#calls < minimumCalls) return false
    return (failed && this.#failures / this.#calls >= failureRatio) || (slow && this.#slow / this.#calls >= slowRatio)
  }

  reset(nowMs: number): void {
    this.#cells.fill(0)
    this.#calls = 0
    this.#failures = 0
    this.#slow = 0
    this.#bucketStartMs = nowMs
  }

  // Buckets are emptied when a call comes by, so an idle breaker costs no timer.
  #rotate(nowMs: number): void {
    const passed = Math.floor((nowMs - this.#bucketStartMs) / this.#bucketMs)
    if (passed >= BUCKETS) {
      this.reset(nowMs)
      return
    }
    const cells = this.#cells
    for (let n = 0; n < passed; n++) {
      this.#at = (this.#at + CELLS) % cells.length
      this.#calls -= cells[this.#at] as number
      this.#failures -= cells[this.#at + 1] as number
      this.#slow -= cells[this.#at + 2] as number
      cells.fill(0, this.#at, this.#at + CELLS)
    }
    this.#bucketStartMs += passed * this.#bucketMs
  }
}
