import { invalidOption } from '../core/options.ts'
import { sharedIfAlike } from './alike.ts'
import type { Tally, TallyCounts, Trip } from './tally.ts'

/**
 * Trips after `failures` failures in a row.
 *
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none) unless a whole number of at least 1.
 */
export function consecutive(failures: number): Trip {
  if (!Number.isSafeInteger(failures) || failures < 1)
    throw invalidOption('consecutive', 'failures', 'a whole number of at least 1', failures)
  return shared({ kind: 'consecutive', timed: false, failures, tally: rowTally })
}

interface RowTrip extends Trip {
  readonly failures: number
}

const shared = /* @__PURE__ */ sharedIfAlike<RowTrip>()

function rowTally(this: RowTrip): Tally {
  return new RowTally(this.failures)
}

class RowTally implements Tally {
  readonly #limit: number
  #inRow = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  record(failed: boolean): boolean {
    this.#inRow = failed ? this.#inRow + 1 : 0
    return this.#inRow >= this.#limit
  }

  reset(): void {
    this.#inRow = 0
  }

  counts(): TallyCounts {
    return { kind: 'consecutive', calls: this.#inRow, failures: this.#inRow }
  }

  restore({ failures }: TallyCounts): void {
    this.#inRow = failures
  }

  adopt(former: RowTally): void {
    this.#inRow = former.#inRow
  }
}
