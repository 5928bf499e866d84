import type { Clock } from '../core/clock.ts'
import { type HoldfastError, refusal } from '../core/errors.ts'

/** One for the whole of an open period; how long that lasts yet is told when it is read. */
export function openRefusal(name: string, openMs: number, untilMs: number, clock: Clock): HoldfastError {
  const error = refusal('BREAKER_OPEN', `${name} is open and lets nothing through for ${openMs} ms`)
  return Object.defineProperty(error, 'retryAfterMs', { get: () => Math.max(0, untilMs - clock.nowMs()), enumerable: true })
}

export const probingRefusal = (name: string, out: number, succeeded: number, probes: number): HoldfastError =>
  refusal('BREAKER_OPEN', `${name} is half-open: ${out} probing, ${succeeded} of ${probes} succeeded`, { retryAfterMs: 100 })

export const isolatedRefusal = (name: string): HoldfastError =>
  refusal('BREAKER_ISOLATED', `${name} is isolated: it lets nothing through until that is released`)
