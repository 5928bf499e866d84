import { checkOptions, type Read } from '../core/options.ts'
import { durationMs, finite, optional } from '../core/rules.ts'
import type { LimitAlgorithm, Seeker, Seen } from './adaptive-algorithm.ts'

export interface AimdOptions {
  /** A window whose mean latency is above it cuts the limit; milliseconds, above 0, default none: only drops do. */
  readonly latencyMaxMs?: number
  /** By how many calls the limit grows after a window near it without reason to be cut; above 0, default 1. */
  readonly increase?: number
  /** What a window over the bound, or with drops, leaves of the limit; 0.1 to 0.99, default 0.9. */
  readonly decrease?: number
}

const rules = {
  latencyMaxMs: optional(durationMs({ min: Number.MIN_VALUE, default: 1 })),
  increase: finite({ min: Number.MIN_VALUE, default: 1 }),
  decrease: finite({ min: 0.1, max: 0.99, default: 0.9 }),
}

/**
 * Finds a limit by additive increase and multiplicative decrease: it grows while nothing is wrong, and is cut where calls take longer than
 * `latencyMaxMs` or are dropped. Several clients of one service that all do so come to fair shares.
 *
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none).
 * Source: D. Chiu, R. Jain, "Analysis of the Increase and Decrease Algorithms for Congestion Avoidance" (1989); RFC 5681; Netflix
 * concurrency-limits, AIMDLimit (2018).
 */
export function aimd(options?: AimdOptions): LimitAlgorithm {
  const checked = checkOptions('aimd', options, rules)
  return { kind: 'aimd', seeker: () => new Aimd(checked) }
}

class Aimd implements Seeker {
  readonly baselineMs = 0
  readonly #options: Read<typeof rules>

  constructor(options: Read<typeof rules>) {
    this.#options = options
  }

  next(limit: number, { latencyMs, busy, dropped }: Seen): number {
    const { latencyMaxMs, increase, decrease } = this.#options
    if (dropped || (latencyMaxMs !== undefined && latencyMs > latencyMaxMs)) return limit * decrease
    return busy ? limit + increase : limit
  }
}
