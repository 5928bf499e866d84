import { type HoldfastError, refusal } from '../core/errors.ts'
import { any, optional, required, whole } from '../core/rules.ts'
import type { Limit } from './limits.ts'

/** What of a rate limit may be changed while it works. */
export interface RateLimitSettings {
  /**
   * How many calls may pass: `tokenBucket({ … })` or `slidingWindow({ … })`. A changed limit begins with nothing counted; a shared one with
   * what is stored.
   */
  readonly limit: Limit
  /** How many calls may wait for their turn; default 0: refuse at once. */
  readonly queued?: number
}

export interface RateLimitStats {
  readonly admitted: number
  readonly refused: number
  readonly waiting: number
  /** Only where it is shared. */
  readonly store?: {
    /** How often the store was asked. */
    readonly asked: number
    readonly failed: number
    /** The last answer of the store was none. */
    readonly failing: boolean
  }
}

export type RateLimitEvents = {
  readonly refused: { readonly name: string; readonly retryAfterMs: number }
  /** The store did not answer, or not usefully: `whenStoreFails` counts from now on. */
  readonly storeFailed: { readonly name: string; readonly error: unknown }
  readonly storeBack: { readonly name: string }
}

const isLimit = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && typeof (value as { readonly meter?: unknown }).meter === 'function'
const none = {} as Limit
const limit = any<Limit>('tokenBucket({ … }) or slidingWindow({ … })', isLimit, none)

export const settings = { limit: required(limit), queued: whole({ default: 0 }) }
export const changeable = { limit: optional(limit), queued: optional(whole({ default: 0 })) }

interface Reached {
  readonly waitMs: number
  readonly queued: number
  readonly waiting: number
  readonly cause?: unknown
}

export function rateRefusal(name: string, { waitMs, queued, waiting, cause }: Reached): HoldfastError {
  const what = cause === undefined ? 'the limit is reached' : 'the store of the limit does not answer'
  const why = queued === 0 ? '' : `, and ${waiting} of ${queued} wait already`
  return refusal('RATE_LIMITED', `${name}: ${what}${why}; the next call could pass in ${Math.ceil(waitMs)} ms`, {
    retryAfterMs: waitMs,
    ...(cause !== undefined && { cause }),
  })
}
