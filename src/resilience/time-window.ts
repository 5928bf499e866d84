import { checkOptions, invalidOption } from '../core/options.ts'
import { durationMs, ratio, required, whole } from '../core/rules.ts'
import { Overdue } from './overdue.ts'
import type { Tally, TallyCounts, Trip } from './tally.ts'

export interface TimeWindowOptions {
  /** How far back calls count, in milliseconds; at least 10. Kept in ten buckets: a call is forgotten after nine to ten tenths of it. */
  readonly windowMs: number
  /** Trips at this share of failures; above 0, at most 1, default 0.5. */
  readonly failureRatio?: number
  /** Not before this many calls are in the window; default 10. */
  readonly minimumCalls?: number
  /**
   * A call that takes longer is slow; default none is. One that is still out counts as slow too, as soon as another call comes by after at
   * most nine eighths of it: calls that hang cannot hide an outage. Those do not count for the failure ratio until they end.
   */
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
  const slow = checked.slowCallMs !== Number.POSITIVE_INFINITY
  return {
    kind: 'time-window',
    timed: slow ? true : 'leave',
    tally: (nowMs) => (slow ? new SlowTally(checked, nowMs) : new TimeTally(checked, 2, nowMs)),
  }
}

const BUCKETS = 10
const NONE = new Uint32Array(0)

/** Failures of the window. A bucket is `width` cells: calls that ended, failures, and for slow calls those that are timed, and slow. */
class TimeTally implements Tally {
  readonly options: Required<TimeWindowOptions>
  /** Cells per bucket; the totals of all buckets come after the last. Made at the first call. */
  cells = NONE
  readonly width: number
  /** Where the latest bucket begins. */
  at = 0
  endMs: number

  constructor(options: Required<TimeWindowOptions>, width: number, nowMs: number) {
    this.options = options
    this.width = width
    this.endMs = nowMs + options.windowMs / BUCKETS
  }

  record(failed: boolean, _enteredMs: number, nowMs: number): boolean {
    this.rotate(nowMs)
    this.add(0, 1)
    if (!failed) return false
    this.add(1, 1)
    return this.exceeds(0, this.options.failureRatio)
  }

  reset(nowMs: number): void {
    this.cells.fill(0)
    this.endMs = nowMs + this.options.windowMs / BUCKETS
  }

  counts(nowMs: number): TallyCounts {
    this.rotate(nowMs)
    return { kind: 'time-window', calls: this.total(0), failures: this.total(1) }
  }

  /** Totals do not say when: they count as of now. */
  restore({ calls, failures }: TallyCounts, nowMs: number): void {
    this.reset(nowMs)
    this.rotate(nowMs)
    this.add(0, calls)
    this.add(1, failures)
  }

  adopt(former: TimeTally, nowMs: number): void {
    if (former.width !== this.width || former.options.windowMs !== this.options.windowMs) {
      this.restore(former.counts(nowMs), nowMs)
      return
    }
    this.cells = former.cells
    this.at = former.at
    this.endMs = former.endMs
  }

  protected total(cell: number): number {
    return this.cells[BUCKETS * this.width + cell] as number
  }

  protected add(cell: number, count: number): void {
    const { cells } = this
    ;(cells[this.at + cell] as number) += count
    ;(cells[BUCKETS * this.width + cell] as number) += count
  }

  /** Whether the share of the cell after `of` is reached. A division: of the products some miss by a rounding. */
  protected exceeds(of: number, share: number): boolean {
    const calls = this.total(of)
    return calls >= this.options.minimumCalls && this.total(of + 1) / calls >= share
  }

  // Buckets are emptied when a call comes by, so an idle breaker costs no timer.
  protected rotate(nowMs: number): void {
    if (nowMs < this.endMs && this.cells !== NONE) return
    const bucketMs = this.options.windowMs / BUCKETS
    const { width } = this
    if (this.cells === NONE) this.cells = new Uint32Array((BUCKETS + 1) * width)
    const passed = Math.floor((nowMs - this.endMs) / bucketMs) + 1
    if (passed >= BUCKETS) {
      this.cells.fill(0)
      this.endMs = nowMs + bucketMs
      return
    }
    const { cells } = this
    for (let n = 0; n < passed; n++) {
      this.at = (this.at + width) % (BUCKETS * width)
      for (let cell = 0; cell < width; cell++) {
        ;(cells[BUCKETS * width + cell] as number) -= cells[this.at + cell] as number
        cells[this.at + cell] = 0
      }
    }
    this.endMs += passed * bucketMs
  }
}

class SlowTally extends TimeTally {
  #inFlight: Overdue

  constructor(options: Required<TimeWindowOptions>, nowMs: number) {
    super(options, 4, nowMs)
    this.#inFlight = new Overdue(options.slowCallMs)
  }

  entered(nowMs: number): boolean {
    const late = this.#inFlight.late(nowMs)
    this.#inFlight.begin()
    return late > 0 && this.#countLate(late, nowMs)
  }

  override record(failed: boolean, enteredMs: number, nowMs: number): boolean {
    const late = this.#inFlight.late(nowMs)
    let trip = late > 0 && this.#countLate(late, nowMs)
    const inTime = this.#inFlight.ended(enteredMs)
    trip = super.record(failed, enteredMs, nowMs) || trip
    // One that was found overdue has been counted as slow.
    if (!inTime) return trip
    this.add(2, 1)
    if (nowMs - enteredMs <= this.options.slowCallMs) return trip
    this.add(3, 1)
    return this.exceeds(2, this.options.slowRatio) || trip
  }

  ignored(enteredMs: number, nowMs: number): void {
    const late = this.#inFlight.late(nowMs)
    // Whether that trips is found by the next call that counts.
    if (late > 0) this.#countLate(late, nowMs)
    this.#inFlight.ended(enteredMs)
  }

  disown(): void {
    this.#inFlight.forget()
  }

  override reset(nowMs: number): void {
    super.reset(nowMs)
    this.#inFlight.forget()
  }

  override counts(nowMs: number): TallyCounts {
    return { ...super.counts(nowMs), timed: this.total(2), slow: this.total(3) }
  }

  override restore(counts: TallyCounts, nowMs: number): void {
    super.restore(counts, nowMs)
    this.add(2, counts.timed ?? 0)
    this.add(3, counts.slow ?? 0)
  }

  override adopt(former: TimeTally, nowMs: number): void {
    super.adopt(former, nowMs)
    if (former instanceof SlowTally && former.options.slowCallMs === this.options.slowCallMs) this.#inFlight = former.#inFlight
  }

  #countLate(late: number, nowMs: number): boolean {
    this.rotate(nowMs)
    this.add(2, late)
    this.add(3, late)
    return this.exceeds(2, this.options.slowRatio)
  }
}
