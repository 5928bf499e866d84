import type { BulkheadEvents, BulkheadStats } from './bulkhead-guard.ts'

/** Of a bulkhead, whose `concurrent` is the limit of now, and of what it was found by. */
export interface AdaptiveBulkheadStats extends BulkheadStats {
  /** The mean of the latest window; 0 before the first. Without the time a call waited for its slot. */
  readonly latencyMs: number
  /** What `gradient2` takes for normal; 0 while it knows none, and with `aimd`. */
  readonly baselineMs: number
  /** Calls whose latency counted. */
  readonly samples: number
  /** Calls that counted as drops. */
  readonly dropped: number
  /** Calls that counted as neither. */
  readonly ignored: number
  /** Whether fewer calls are let in for the length of one window, to see how fast they are then. */
  readonly probing: boolean
}

export type AdaptiveBulkheadEvents = BulkheadEvents & {
  readonly limitChanged: {
    readonly name: string
    readonly from: number
    readonly to: number
    readonly why: 'latency' | 'drops' | 'probe' | 'reconfigured'
    readonly latencyMs: number
  }
}
