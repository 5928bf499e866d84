import type { Clock } from '../core/clock.ts'
import type { Policy } from '../core/handler.ts'
import { checkOptions } from '../core/options.ts'
import { clock, text } from '../core/rules.ts'
import { type Managed, managed, managedKind } from './managed.ts'
import { RateGuard, type RateLimitEvents, type RateLimitSettings, type RateLimitStats, settings } from './rate-guard.ts'

export interface RateLimitOptions extends RateLimitSettings {
  /** Stands for it in errors and metrics; default `rate limit`. */
  readonly name?: string
  readonly clock?: Clock
}

export interface RateLimit extends Policy, Managed<RateLimitStats, RateLimitSettings, RateLimitEvents> {
  readonly name: string
}

/**
 * Bounds how many calls pass per time, whatever they do and however long they take.
 *
 * A call over the limit is refused at once; with `queued`, that many wait instead, in order of arrival, and pass as the limit allows. A
 * waiter whose caller gives up leaves at once and uses up nothing. A waiter who could not pass before its deadline is refused at once.
 *
 * @throws {HoldfastError} `RATE_LIMITED` (effect none, retry later, `retryAfterMs`: when the next call could pass) · `ABORTED`, `TIMEOUT`,
 * `DEADLINE` (effect none) when the caller's patience ended while it waited · `INVALID_OPTIONS` (effect none).
 * @example
 * ```ts
 * const partner = rateLimit({ name: 'partner', limit: tokenBucket({ ratePerSecond: 50, burst: 10 }), queued: 100 })
 * ```
 */
export function rateLimit(options: RateLimitOptions): RateLimit {
  return managed<RateLimit>('rateLimit', { guard: new RateGuard(checkOptions('rateLimit', options, rules)) }, rateLimitKind)
}

const rules = { ...settings, name: text('rate limit'), clock }

const rateLimitKind = /* @__PURE__ */ managedKind()
