import type { Clock } from '../core/clock.ts'
import type { Policy } from '../core/handler.ts'
import { checkOptions } from '../core/options.ts'
import { clock, text } from '../core/rules.ts'
import { type Managed, managed, managedKind } from './managed.ts'
import { RateGuard } from './rate-guard.ts'
import { type RateLimitEvents, type RateLimitSettings, type RateLimitStats, settings } from './rate-readouts.ts'
import { SharedRateGuard } from './shared-rate-guard.ts'
import { checkShared, type SharedRateOptions, sharedRules } from './shared-rate-options.ts'

export interface RateLimitOptions extends RateLimitSettings, SharedRateOptions {
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
 * With `store` all processes that use the same store and `key` keep to one limit, by the store's clock, however many they are:
 * - `slidingWindow`: in any span of `windowMs` at most `calls` pass, all processes together, exactly. What it costs is throughput: a call
 *   counts for `windowMs · 1.01 + storeTimeoutMs`.
 * - `tokenBucket`: in any span of t ms at most `burst + (t + 2 · storeTimeoutMs + 10) · ratePerSecond / 1,000` pass; with a store that
 *   answers at once the error is one `storeTimeoutMs`, of calls taken ahead; with `block: 1` there are none of those.
 *
 * That holds while the store answers and forgets no acknowledged write (a failover of Redis may), and the machine is not suspended. A
 * process asks once for all who wait and for `block` callers to come: one round trip, one more for each process that came between, none while
 * it knows that nothing is left. A caller waits for the store at most `storeTimeoutMs`, and never beyond its deadline. While the store
 * fails it is asked once a second, and `whenStoreFails` decides: `'local'` (default) lets each process pass `localShare` of the limit, from
 * full, so that n processes pass n times that; `'admit'` lets all pass; `'refuse'` none (`RATE_LIMITED`, the store's error as its cause).
 *
 * Stored under `key`, JSON, kept until it says nothing any more: `{ version: 1, kind: 'token-bucket', tokens, atMs }` or
 * `{ version: 1, kind: 'sliding-window', taken: [[atMs, calls], …] }` (110 entries at most), `atMs` in milliseconds since the store's clock
 * began, which is the key `holdfast/clock`: it lasts ten years, and what is left of that tells the time.
 *
 * @throws {HoldfastError} `RATE_LIMITED` (effect none, retry later, `retryAfterMs`: when the next call could pass) · `ABORTED`, `TIMEOUT`,
 * `DEADLINE` (effect none) when the caller's patience ended while it waited · `INVALID_OPTIONS` (effect none).
 * @example
 * ```ts
 * const partner = rateLimit({ name: 'partner', limit: tokenBucket({ ratePerSecond: 50, burst: 10 }), queued: 100 })
 * ```
 */
export function rateLimit(options: RateLimitOptions): RateLimit {
  const { store, ...read } = checkOptions('rateLimit', options, rules)
  if (store === undefined) checkShared(options)
  const guard = store === undefined ? new RateGuard(read) : new SharedRateGuard({ ...read, store })
  return managed<RateLimit>('rateLimit', { guard }, rateLimitKind)
}

const rules = { ...settings, ...sharedRules, name: text('rate limit'), clock }

const rateLimitKind = /* @__PURE__ */ managedKind<RateLimitEvents>({ refused: true, storeFailed: true, storeBack: true })
