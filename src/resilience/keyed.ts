import type { Recovery } from '../core/handler.ts'
import { checkOptions, invalidOption } from '../core/options.ts'
import { ownerOf } from '../core/policy-inside.ts'
import { any, clock, durationMs, ratio, required, text, whole } from '../core/rules.ts'
import type { KeyedEvents, KeyedOptions, KeyedStats } from './keyed-options.ts'
import { KeyedOwner } from './keyed-owner.ts'
import { type Managed, managed, managedKind } from './managed.ts'

type Changeable = Pick<KeyedOptions, 'keysMax' | 'idleMs' | 'ejectedMaxShare'>

export interface Keyed<Alt = never> extends Recovery<Alt>, Managed<KeyedStats, Changeable, KeyedEvents> {
  readonly name: string
  /** The keys known now, the longest unused first. */
  keys(): readonly string[]
  /** The policy of a key, if it is known; does not count as a use. */
  get(key: string): Recovery<Alt> | undefined
}

/**
 * A policy per host, per tenant, per whatever the call's context says: made when the first call of its key comes, forgotten when idle.
 *
 * Keys do not share anything; several `keyed` may stand in one stack. A key with calls in flight, held or abandoned ones included, is
 * never forgotten, because a bulkhead that is forgotten would admit too many. Calls without the key share one policy, under the key `''`.
 * There is no timer: idle keys are forgotten as other calls come by.
 *
 * @throws {HoldfastError} `KEYS_EXHAUSTED` (effect none, retry later) when `keysMax` keys all have calls in flight · `INVALID_INPUT` (effect
 * none) when `by` returns no text · `INVALID_OPTIONS` (effect none) · whatever `create` throws, for that call, before any effect.
 * @example
 * ```ts
 * const perTenant = keyed(() => bulkhead({ concurrent: 5, queued: 20 }), { by: 'tenant', keysMax: 10_000 })
 * const report = perTenant.wrap(buildReport, { options: (tenantId) => ({ keys: { tenant: tenantId } }) })
 * ```
 */
export function keyed<Alt = never>(create: (key: string) => Recovery<Alt>, options: KeyedOptions): Keyed<Alt> {
  if (typeof create !== 'function') throw invalidOption('keyed', 'create', 'a function from a key to a policy', create)
  const owner = new KeyedOwner(create, checkOptions('keyed', options, rules))
  const part = { name: owner.name, owner, repeats: false, wrap: owner.wrap }
  return managed<Keyed<Alt>>('keyed', part, keyedKind)
}

const rules = {
  by: required(
    any<KeyedOptions['by']>(
      "'tenant', the name of a key, or a function of the context",
      (v) => typeof v === 'function' || (typeof v === 'string' && v !== ''),
      '',
    ),
  ),
  keysMax: whole({ min: 1, default: 1_000 }),
  idleMs: durationMs({ min: 1, default: 600_000 }),
  ejectedMaxShare: ratio({ default: 1 }),
  name: text('keyed'),
  clock,
}

const keyedKind = /* @__PURE__ */ managedKind<KeyedEvents>(
  { created: true, evicted: true, panicked: true },
  {
    keys(): readonly string[] {
      return ownerOf<KeyedOwner>(this).keys()
    },
    get(key: string): Recovery<unknown> | undefined {
      return ownerOf<KeyedOwner>(this).get(key)
    },
  },
)
