import { checkOptions } from '../core/options.ts'
import { durationMs, finite, optional, required, whole } from '../core/rules.ts'
import { SharedBucket, type SharedMeter, SharedWindow } from './shared-meters.ts'

/** Counts calls for one limiter; touched only by it. */
export interface Meter {
  /** Admits one call: 0. Or how long until the next one could be admitted, in milliseconds; then nothing was counted. */
  take(nowMs: number): number
}

/** How many calls may pass. Made by `tokenBucket` and `slidingWindow`. */
export interface Limit {
  readonly kind: 'token-bucket' | 'sliding-window'
  meter(nowMs: number): Meter
  /** Counts for many limiters; `usedForMs`: how much later than it is taken a call may pass. */
  shared(usedForMs: number): SharedMeter
  /** How many calls one limiter of many may take at once for callers to come. */
  readonly block: number
  /** A share of it, above 0 and at most 1; one call at least. */
  part(share: number): Limit
}

/** So many takes make up a burst or a window, so that no process holds much of it for nobody. */
const BLOCKS = 20
const blockOf = (calls: number): number => Math.max(1, Math.floor(calls / BLOCKS))
const partOf = (calls: number, share: number): number => Math.max(1, Math.floor(calls * share))

export interface TokenBucketOptions {
  /** Calls per second in the long run; above 0. */
  readonly ratePerSecond: number
  /** How many calls may pass at once after a pause; a whole number of at least 1, default `ratePerSecond` rounded up. */
  readonly burst?: number
}

/**
 * Lets `ratePerSecond` calls pass in the long run, and up to `burst` at once after a pause.
 *
 * In any span of t seconds at most `burst + t · ratePerSecond` calls pass.
 *
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none).
 */
export function tokenBucket(options: TokenBucketOptions): Limit {
  const checked = checkOptions('tokenBucket', options, {
    ratePerSecond: required(finite({ min: Number.MIN_VALUE, default: 1 })),
    burst: optional(whole({ min: 1, default: 1 })),
  })
  const { ratePerSecond, burst = Math.max(1, Math.ceil(ratePerSecond)) } = checked
  const perMs = ratePerSecond / 1_000
  return {
    kind: 'token-bucket',
    meter: (nowMs) => new Bucket(perMs, burst, nowMs),
    shared: () => new SharedBucket(perMs, burst),
    block: blockOf(burst),
    part: (share) => tokenBucket({ ratePerSecond: ratePerSecond * share, burst: partOf(burst, share) }),
  }
}

class Bucket implements Meter {
  readonly #perMs: number
  readonly #burst: number
  #tokens: number
  #atMs: number

  constructor(perMs: number, burst: number, nowMs: number) {
    this.#perMs = perMs
    this.#burst = burst
    this.#tokens = burst
    this.#atMs = nowMs
  }

  take(nowMs: number): number {
    // A clock that steps back fills nothing, and is believed from then on.
    const passedMs = Math.max(0, nowMs - this.#atMs)
    this.#tokens = Math.min(this.#burst, this.#tokens + passedMs * this.#perMs)
    this.#atMs = nowMs
    // A token that is whole but for rounding is whole: a caller who waited exactly as long as it was told is not sent away again.
    if (this.#tokens < 1 - 1e-9) return (1 - this.#tokens) / this.#perMs
    this.#tokens = Math.max(0, this.#tokens - 1)
    return 0
  }
}

export interface SlidingWindowOptions {
  /** How many calls may pass in any window; 1 to 100,000. Each costs eight bytes. */
  readonly calls: number
  /** How long the window is, in milliseconds; at least 1. */
  readonly windowMs: number
}

/**
 * Lets at most `calls` pass in any span of `windowMs`, exactly: at no moment does the limit double, as it does with fixed windows.
 *
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none).
 */
export function slidingWindow(options: SlidingWindowOptions): Limit {
  const { calls, windowMs } = checkOptions('slidingWindow', options, {
    calls: required(whole({ min: 1, max: 100_000, default: 1 })),
    windowMs: required(durationMs({ min: 1, default: 1 })),
  })
  return {
    kind: 'sliding-window',
    meter: () => new Window(calls, windowMs),
    shared: (usedForMs) => new SharedWindow(calls, windowMs, usedForMs),
    block: blockOf(calls),
    part: (share) => slidingWindow({ calls: partOf(calls, share), windowMs }),
  }
}

/** The times of the latest `calls` admitted calls, in a ring: the oldest one is what decides. */
class Window implements Meter {
  readonly #times: Float64Array
  readonly #windowMs: number
  #at = 0

  constructor(calls: number, windowMs: number) {
    this.#times = new Float64Array(calls).fill(Number.NEGATIVE_INFINITY)
    this.#windowMs = windowMs
  }

  take(nowMs: number): number {
    const oldestMs = this.#times[this.#at] as number
    const waitMs = oldestMs + this.#windowMs - nowMs
    if (waitMs > 0) return waitMs
    this.#times[this.#at] = nowMs
    this.#at = (this.#at + 1) % this.#times.length
    return 0
  }
}
