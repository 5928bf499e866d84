import type { Clock } from '../core/clock.ts'

/** What of a hedge may be changed while it works. */
export interface HedgeSettings {
  /** How long an attempt may take before the next one starts beside it, in milliseconds; at least 1, default 100. With `quantile`: until enough calls are known. */
  readonly delayMs?: number
  /** Takes the delay from what was observed: this quantile of the latencies of answered calls, above 0 and below 1, for example 0.95. */
  readonly quantile?: number
  /** How many attempts may run side by side, the first included; 2 to 10, default 2. */
  readonly attempts?: number
  /** At most this share of calls is hedged, in the long run; above 0, at most 1, default 0.1. A burst of 10 is always allowed. */
  readonly hedgedMaxShare?: number
}

export interface HedgeOptions extends HedgeSettings {
  /** Default `hedge`. */
  readonly name?: string
  readonly clock?: Clock
}

export interface HedgeStats {
  readonly calls: number
  /** Attempts started beside a slow one. */
  readonly hedged: number
  /** Calls answered by such an attempt. */
  readonly won: number
  /** Attempts not started because `hedgedMaxShare` was used up. */
  readonly withheld: number
  /** The delay in force now. */
  readonly delayMs: number
}

export type HedgeEvents = {
  readonly hedged: { readonly name: string; readonly attempt: number; readonly delayMs: number }
}
