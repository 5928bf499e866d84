import { BUCKETS, count, emptyBucketOf, type Lane, newLane, totalOf } from './lane.ts'
import type { Tally, TallyCounts, Trip } from './tally.ts'

/** A trip is its own options: the windows of all breakers that trip alike read them from one object. */
export interface WindowTrip extends Trip {
  readonly windowMs: number
  readonly failureRatio: number
  readonly minimumCalls: number
  readonly slowCallMs: number
  readonly slowRatio: number
}

/** Failures of the window. */
export class TimeTally implements Tally {
  readonly trip: WindowTrip
  /** The latest bucket, and when it ends. */
  at = 0
  endMs: number
  /** Calls that ended, and failures; made at the first one. */
  calls: Lane | null = null
  failures: Lane | null = null

  constructor(trip: WindowTrip, nowMs: number) {
    this.trip = trip
    this.endMs = nowMs + trip.windowMs / BUCKETS
  }

  record(failed: boolean, _enteredMs: number, nowMs: number): boolean {
    this.rotate(nowMs)
    this.calls ??= newLane()
    count(this.calls, this.at, 1)
    if (!failed) return false
    this.failures ??= newLane()
    count(this.failures, this.at, 1)
    return this.exceeds(this.failures, this.calls, this.trip.failureRatio)
  }

  reset(nowMs: number): void {
    this.endMs = nowMs + this.trip.windowMs / BUCKETS
    this.empty()
  }

  counts(nowMs: number): TallyCounts {
    this.rotate(nowMs)
    return { kind: 'time-window', calls: totalOf(this.calls), failures: totalOf(this.failures) }
  }

  /** Totals do not say when: they count as of now. */
  restore({ calls, failures }: TallyCounts, nowMs: number): void {
    this.reset(nowMs)
    this.calls = newLane()
    this.failures = newLane()
    count(this.calls, this.at, calls)
    count(this.failures, this.at, failures)
  }

  adopt(former: TimeTally, nowMs: number): void {
    if (!this.takes(former)) {
      this.restore(former.counts(nowMs), nowMs)
      return
    }
    this.at = former.at
    this.endMs = former.endMs
    this.calls = former.calls
    this.failures = former.failures
  }

  /** Whether what the former one counted can go on as it is. */
  protected takes(former: TimeTally): boolean {
    return former.trip.windowMs === this.trip.windowMs && former.trip.tally === this.trip.tally
  }

  /** Whether the share is reached. A division: of the products some miss by a rounding. */
  protected exceeds(part: Lane, whole: Lane, share: number): boolean {
    const calls = totalOf(whole)
    return calls >= this.trip.minimumCalls && totalOf(part) / calls >= share
  }

  // Buckets are emptied when a call comes by, so an idle breaker costs no timer.
  protected rotate(nowMs: number): void {
    if (nowMs < this.endMs) return
    const bucketMs = this.trip.windowMs / BUCKETS
    const passed = Math.floor((nowMs - this.endMs) / bucketMs) + 1
    if (passed >= BUCKETS) {
      this.endMs = nowMs + bucketMs
      this.empty()
      return
    }
    for (let n = 0; n < passed; n++) {
      this.at = (this.at + 1) % BUCKETS
      this.emptyBucket()
    }
    this.endMs += passed * bucketMs
  }

  protected empty(): void {
    this.calls = null
    this.failures = null
  }

  protected emptyBucket(): void {
    emptyBucketOf(this.calls, this.at)
    emptyBucketOf(this.failures, this.at)
  }
}
