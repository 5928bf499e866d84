import { type HoldfastError, refusal } from '../core/errors.ts'
import type { ClosedEpoch } from './breaker-permits.ts'

const FIRST_SHARE = 0.1
const RETRY_AFTER_MS = 100

/** The way back to full traffic: the share of calls let through grows evenly. Which ones is settled by counting, not by chance. */
export class Ramp {
  readonly epoch: ClosedEpoch
  /** One for all calls that it turns away. */
  readonly refusal: HoldfastError
  over = false
  readonly #startedMs: number
  #credit = 1 - FIRST_SHARE

  constructor(name: string, epoch: ClosedEpoch, nowMs: number) {
    this.epoch = epoch
    this.#startedMs = nowMs
    this.refusal = refusal('BREAKER_OPEN', `${name} is closing again: it lets a growing share of the calls through`, {
      retryAfterMs: RETRY_AFTER_MS,
    })
  }

  shareAt(nowMs: number, rampMs: number): number {
    const passedMs = nowMs - this.#startedMs
    return passedMs >= rampMs ? 1 : FIRST_SHARE + (1 - FIRST_SHARE) * Math.max(0, passedMs / rampMs)
  }

  /** Counts one call; false when it is not let through, or when the ramp is `over`. */
  admits(nowMs: number, rampMs: number): boolean {
    const share = this.shareAt(nowMs, rampMs)
    if (share === 1) {
      this.over = true
      return false
    }
    this.#credit += share
    if (this.#credit < 1) return false
    this.#credit -= 1
    return true
  }
}
