/** What a tally knows: totals, as a snapshot of a breaker keeps them. */
export interface TallyCounts {
  readonly kind: Trip['kind']
  /** Calls that count for the failure ratio. */
  readonly calls: number
  readonly failures: number
  /** Calls of which it is known how long they took, or that they take too long; only where `slowCallMs` is set. */
  readonly timed?: number
  readonly slow?: number
}

/** What is counted until a breaker trips. Made per breaker by a `Trip`; touched only by its breaker. */
export interface Tally {
  /** Counts one outcome; true: trip now. */
  record(failed: boolean, enteredMs: number, nowMs: number): boolean
  /** Present where it watches calls in flight: one has begun; true: those that hang are enough to trip. */
  entered?(nowMs: number): boolean
  /** The call that began then has ended with an outcome that does not count. */
  ignored?(enteredMs: number, nowMs: number): void
  /** Calls now in flight will not be heard of again. */
  disown?(): void
  /** Forgets everything. */
  reset(nowMs: number): void
  counts(nowMs: number): TallyCounts
  /** Begins with these totals. */
  restore(counts: TallyCounts, nowMs: number): void
  /** Takes over what one of the same kind, but perhaps of other options, has counted. */
  adopt(former: Tally, nowMs: number): void
}

/** When a circuit breaker opens. Made by `consecutive`, `countWindow` and `timeWindow`. */
export interface Trip {
  readonly kind: 'consecutive' | 'count-window' | 'time-window'
  /** Whether it looks at the clock: `'leave'`, only when a call ends; `true`, also at how long it took. */
  readonly timed: boolean | 'leave'
  tally(nowMs: number): Tally
}
