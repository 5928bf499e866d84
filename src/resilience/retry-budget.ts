import type { Clock } from '../core/clock.ts'
import { checkOptions } from '../core/options.ts'
import { clock, finite, whole } from '../core/rules.ts'

export interface RetryBudgetOptions {
  /** How many retries each call earns; 0 to 10, default 0.2: one retry for five calls. */
  readonly retriesPerCall?: number
  /** Retries per second that are allowed however few calls there are; at least 0, default 10. */
  readonly minPerSecond?: number
  /** How many unused retries are saved up at most; at least 1, default 100. */
  readonly savedMax?: number
  readonly clock?: Clock
}

/** Bounds retries as a share of calls, over everything that shares it. */
export interface RetryBudget {
  /** Retries that could start now. */
  readonly available: number
  /** One more call: earns `retriesPerCall`. */
  earn(): void
  /** Takes one retry; false when none is left. */
  spend(): boolean
}

/**
 * A budget that several retries share, so that an outage is not answered with a storm: when everything fails, the load grows by
 * `retriesPerCall`, not by the number of attempts.
 *
 * A retry hands its budget on in the context: retries inside it draw from the same one instead of multiplying.
 *
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none).
 * @example
 * ```ts
 * const budget = retryBudget({ retriesPerCall: 0.1 })
 * const read = policies(retry({ attempts: 3, budget }), timeout({ timeoutMs: 500 }))
 * ```
 * Source: Finagle's retry budgets; "Site Reliability Engineering" (2016), chapter 22.
 */
export function retryBudget(options?: RetryBudgetOptions): RetryBudget {
  return new Budget(
    checkOptions('retryBudget', options, {
      retriesPerCall: finite({ max: 10, default: 0.2 }),
      minPerSecond: finite({ default: 10 }),
      savedMax: whole({ min: 1, default: 100 }),
      clock,
    }),
  )
}

class Budget implements RetryBudget {
  readonly #options: Required<RetryBudgetOptions>
  #saved: number
  #atMs: number

  constructor(options: Required<RetryBudgetOptions>) {
    this.#options = options
    // What a second allows without calls is there from the start, so that the first failures of a quiet service are retried.
    this.#saved = Math.min(options.savedMax, options.minPerSecond)
    this.#atMs = options.clock.nowMs()
  }

  get available(): number {
    this.#refill()
    return Math.floor(this.#saved + 1e-9)
  }

  earn(): void {
    this.#saved = Math.min(this.#options.savedMax, this.#saved + this.#options.retriesPerCall)
  }

  spend(): boolean {
    if (this.available < 1) return false
    this.#saved -= 1
    return true
  }

  #refill(): void {
    const { minPerSecond, savedMax, clock } = this.#options
    const nowMs = clock.nowMs()
    const earned = (Math.max(0, nowMs - this.#atMs) * minPerSecond) / 1_000
    // Time alone fills up to one second's worth; more has to be earned by calls.
    if (this.#saved < minPerSecond) this.#saved = Math.min(savedMax, minPerSecond, this.#saved + earned)
    this.#atMs = nowMs
  }
}

export const isBudget = (value: unknown): value is RetryBudget =>
  typeof value === 'object' &&
  value !== null &&
  typeof (value as RetryBudget).spend === 'function' &&
  typeof (value as RetryBudget).earn === 'function'
