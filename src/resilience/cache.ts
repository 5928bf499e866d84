import type { Policy } from '../core/handler.ts'
import { checkOptions } from '../core/options.ts'
import { ownerOf } from '../core/policy-inside.ts'
import { clock, text } from '../core/rules.ts'
import type { CacheEvents, CacheOptions, CacheSettings, CacheStats } from './cache-options.ts'
import { CacheOwner, settings } from './cache-owner.ts'
import { callKey } from './call-key.ts'
import { type Managed, managed, managedKind } from './managed.ts'

export interface Cache extends Policy, Managed<CacheStats, CacheSettings, CacheEvents> {
  readonly name: string
  /** Forgets one answer of every handler, or all of them; what is being asked for right now is not kept either. */
  forget(key?: string): void
}

/**
 * Answers from memory while an answer is fresh; asks once for all who wait (single flight) when it is not; and, with `staleIfErrorMs`, serves
 * what it still has when the work fails.
 *
 * Only answers are kept, never errors. `tryRun` says in `outcome.source` who answered: `'work'`, `'cache'` or `'stale'`. Each handler it wraps
 * has answers of its own; with `run`, the key alone says what is the same. The value itself is kept, not a copy: treat it as immutable. A
 * caller that gives up leaves alone, and the work is aborted when the last one has left.
 *
 * @throws what the work threw, where nothing stale may serve · {HoldfastError} `ABORTED`, `TIMEOUT`, `DEADLINE` (effect unknown) to a caller
 * whose patience ended · `INVALID_INPUT` (effect none) when `by` says something that is no text · `INVALID_OPTIONS` (effect none).
 * @example
 * ```ts
 * const rates = cache({ by: 'currency', ttlMs: 60_000, staleIfErrorMs: 3_600_000 })
 * const outcome = await rates.tryRun(() => fetchRate('EUR'), { keys: { currency: 'EUR' } })
 * ```
 * Source: RFC 5861 (stale-if-error).
 */
export function cache(options: CacheOptions): Cache {
  const owner = new CacheOwner(checkOptions('cache', options, { ...settings, by: callKey, name: text('cache'), clock }))
  return managed<Cache>('cache', { name: owner.name, owner, answers: true, wrap: owner.wrap }, cacheKind)
}

const cacheKind = /* @__PURE__ */ managedKind<CacheEvents>(
  { hit: true, missed: true, stale: true },
  {
    forget(key?: string): void {
      ownerOf<CacheOwner>(this).forget(key)
    },
  },
)
