/** What one window of calls has shown. */
export interface Seen {
  /** The mean latency of its samples; 0 where all of its calls were drops. */
  readonly latencyMs: number
  /** The most calls that ran at once. */
  readonly running: number
  /** Whether that was near the limit: at least half of it. What was not near it says nothing about more. */
  readonly busy: boolean
  /** Whether more of its calls were drops than may be. */
  readonly dropped: boolean
}

/** Looks for the limit of one bulkhead; touched only by it. */
export interface Seeker {
  /** The latency that it takes for normal; 0 while it knows none, or needs none. */
  readonly baselineMs: number
  /** The limit after a window, before it is brought into its range. */
  next(limit: number, seen: Seen): number
  /** How many calls may run in the next window, for that one alone; undefined: as many as the limit says. Asked after `next`. */
  probe?(seen: Seen): number | undefined
  /** Such a window is over: the limit after it. Only calls that began in it are in this mean. */
  probed?(limit: number, calls: number, latencyMs: number): number
}

/** How a limit is found. Made by `gradient2` and `aimd`. */
export interface LimitAlgorithm {
  readonly kind: 'gradient2' | 'aimd'
  seeker(): Seeker
}
