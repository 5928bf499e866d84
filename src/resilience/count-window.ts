import { checkOptions, invalidOption } from '../core/options.ts'
import { optional, ratio, required, whole } from '../core/rules.ts'
import { sharedIfAlike } from './alike.ts'
import type { Tally, TallyCounts, Trip } from './tally.ts'

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
  return shared({ kind: 'count-window', timed: false, calls, failureRatio, minimumCalls, tally: countTally })
}

interface CountTrip extends Trip, Required<CountWindowOptions> {}

const shared = /* @__PURE__ */ sharedIfAlike<CountTrip>()

function countTally(this: CountTrip): Tally {
  return new CountTally(this)
}

const NONE = new Uint8Array(0)

class CountTally implements Tally {
  readonly #trip: CountTrip
  /** Made at the first call: a breaker that is never asked costs no window. */
  #failed = NONE
  #at = 0
  #known = 0
  #failures = 0

  constructor(trip: CountTrip) {
    this.#trip = trip
  }

  record(failed: boolean): boolean {
    if (this.#failed === NONE) this.#failed = new Uint8Array(this.#trip.calls)
    const cells = this.#failed
    if (this.#known === cells.length) this.#failures -= cells[this.#at] as number
    else this.#known += 1
    cells[this.#at] = failed ? 1 : 0
    if (failed) this.#failures += 1
    this.#at = (this.#at + 1) % cells.length
    // A division: of the products some miss by a rounding (0.55 * 100 is more than 55).
    return failed && this.#known >= this.#trip.minimumCalls && this.#failures / this.#known >= this.#trip.failureRatio
  }

  reset(): void {
    this.#failed.fill(0)
    this.#at = 0
    this.#known = 0
    this.#failures = 0
  }

  counts(): TallyCounts {
    return { kind: 'count-window', calls: this.#known, failures: this.#failures }
  }

  /** Totals do not say in which order: the failures count as the oldest, and are forgotten first. */
  restore({ calls, failures }: TallyCounts): void {
    this.reset()
    const known = Math.min(calls, this.#trip.calls)
    for (let n = 0; n < known; n++) this.record(n < failures)
  }

  adopt(former: CountTally): void {
    this.reset()
    const cells = former.#failed
    const kept = Math.min(former.#known, this.#trip.calls)
    for (let n = former.#at - kept; n < former.#at; n++) this.record(cells[(n + cells.length) % cells.length] === 1)
  }
}
