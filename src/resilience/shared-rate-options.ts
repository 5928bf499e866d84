import { invalidOption } from '../core/options.ts'
import { any, durationMs, oneOf, optional, ratio, text, whole } from '../core/rules.ts'
import type { KeyValue } from '../ports/key-value.ts'
import type { Limit } from './limits.ts'

/** What a rate limit needs to be one for many processes. */
export interface SharedRateOptions {
  /** Where the limit is kept: one for every process that uses this store and `key`. Opened and closed by you. Default: none, each process counts alone. */
  readonly store?: KeyValue
  /** Under which key; 1 to 200 characters, default `holdfast/rate/` and the name. */
  readonly key?: string
  /**
   * What becomes of calls while the store fails: `'local'` (default): this process alone keeps to `localShare` of the limit; `'admit'`: all
   * pass; `'refuse'`: none.
   */
  readonly whenStoreFails?: 'local' | 'admit' | 'refuse'
  /** The share of the limit that one process keeps to while the store fails; above 0, at most 1, default 1. */
  readonly localShare?: number
  /**
   * The longest wait for the store, in milliseconds, 1 to 60,000; default 100. A call that was taken from the store passes within it, or
   * never. After a failure the store is left alone for a second.
   */
  readonly storeTimeoutMs?: number
  /** How many calls may be taken at once for callers that are yet to come; at least 1, default a twentieth of `burst` or `calls`. */
  readonly block?: number
}

const store = any<KeyValue | undefined>(
  'a KeyValue: memoryStorage().keyValue, redisStorage(…).keyValue',
  (value) => typeof (value as KeyValue).put === 'function' && typeof (value as KeyValue).increment === 'function',
  undefined,
)

export const sharedRules = {
  store,
  key: optional(text('')),
  whenStoreFails: oneOf(['local', 'admit', 'refuse'], 'local'),
  localShare: ratio({ min: Number.MIN_VALUE, default: 1 }),
  storeTimeoutMs: durationMs({ min: 1, max: 60_000, default: 100 }),
  block: optional(whole({ min: 1, default: 1 })),
}

/** Without a store the others mean nothing: whoever gives them has forgotten it. */
export function checkShared(given: object): void {
  for (const name of Object.keys(sharedRules))
    if (name !== 'store' && (given as Record<string, unknown>)[name] !== undefined)
      throw invalidOption('rateLimit', name, 'absent where there is no store', (given as Record<string, unknown>)[name])
}

/** A limit that was not made here counts for one process only. */
export function checkShareable(owner: string, limit: Limit): void {
  if (typeof limit.shared !== 'function' || typeof limit.part !== 'function')
    throw invalidOption(owner, 'limit', 'made by tokenBucket() or slidingWindow(), to be shared', limit)
}
