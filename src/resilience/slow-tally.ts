import { count, emptyBucketOf, type Lane, newLane, totalOf } from './lane.ts'
import { Overdue } from './overdue.ts'
import type { TallyCounts } from './tally.ts'
import { TimeTally, type WindowTrip } from './time-tally.ts'

/** The same, and how long calls take, those in flight included. */
export class SlowTally extends TimeTally {
  #inFlight: Overdue
  /** Calls of which it is known how long they took, or that they take too long; and those that were slow. */
  #timed: Lane | null = null
  #slow: Lane | null = null

  constructor(trip: WindowTrip, nowMs: number) {
    super(trip, nowMs)
    this.#inFlight = new Overdue(trip.slowCallMs)
  }

  entered(nowMs: number): boolean {
    const late = this.#inFlight.begin(nowMs)
    return late > 0 && this.#countLate(late, nowMs)
  }

  override record(failed: boolean, enteredMs: number, nowMs: number): boolean {
    const late = this.#inFlight.late(nowMs)
    let trip = late > 0 && this.#countLate(late, nowMs)
    const inTime = this.#inFlight.ended(enteredMs)
    trip = super.record(failed, enteredMs, nowMs) || trip
    // One that was found overdue has been counted as slow.
    if (!inTime) return trip
    const slow = nowMs - enteredMs > this.trip.slowCallMs
    this.#count(1, slow ? 1 : 0)
    return (slow && this.#tooSlow()) || trip
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
    return { ...super.counts(nowMs), timed: totalOf(this.#timed), slow: totalOf(this.#slow) }
  }

  override restore(counts: TallyCounts, nowMs: number): void {
    super.restore(counts, nowMs)
    this.#count(counts.timed ?? 0, counts.slow ?? 0)
  }

  override adopt(former: TimeTally, nowMs: number): void {
    super.adopt(former, nowMs)
    if (!(former instanceof SlowTally)) return
    if (this.takes(former)) {
      this.#timed = former.#timed
      this.#slow = former.#slow
    }
    if (former.trip.slowCallMs === this.trip.slowCallMs) this.#inFlight = former.#inFlight
  }

  protected override empty(): void {
    super.empty()
    this.#timed = null
    this.#slow = null
  }

  protected override emptyBucket(): void {
    super.emptyBucket()
    emptyBucketOf(this.#timed, this.at)
    emptyBucketOf(this.#slow, this.at)
  }

  #count(timed: number, slow: number): void {
    this.#timed ??= newLane()
    count(this.#timed, this.at, timed)
    if (slow === 0) return
    this.#slow ??= newLane()
    count(this.#slow, this.at, slow)
  }

  #tooSlow(): boolean {
    return this.#slow !== null && this.#timed !== null && this.exceeds(this.#slow, this.#timed, this.trip.slowRatio)
  }

  #countLate(late: number, nowMs: number): boolean {
    this.rotate(nowMs)
    this.#count(late, late)
    return this.#tooSlow()
  }
}
