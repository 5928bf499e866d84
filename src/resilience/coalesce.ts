import type { Policy } from '../core/handler.ts'
import { checkOptions } from '../core/options.ts'
import { text } from '../core/rules.ts'
import { callKey } from './call-key.ts'
import type { CoalesceEvents, CoalesceOptions, CoalesceStats } from './coalesce-options.ts'
import { CoalesceOwner } from './coalesce-owner.ts'
import { type Managed, managed, managedKind } from './managed.ts'

export interface Coalesce extends Policy, Managed<CoalesceStats, Record<never, never>, CoalesceEvents> {
  readonly name: string
}

/**
 * Calls of the same key that come while one is running share its answer, or its error: single flight.
 *
 * The shared execution has the first caller's identity (tenant, trace, idempotency key) and no deadline of its own. A caller that gives up
 * leaves alone, at once; the execution is aborted when the last one has left. Each handler that is wrapped shares within itself; with
 * `run`, the key alone says what is the same. Nothing is kept once it has answered: for that there is `cache`.
 *
 * @throws what the shared execution threw, to every caller · {HoldfastError} `ABORTED`, `TIMEOUT`, `DEADLINE` (effect unknown) to a caller
 * whose patience ended · `INVALID_INPUT` (effect none) when `by` says something that is no text · `INVALID_OPTIONS` (effect none).
 * @example
 * ```ts
 * const price = coalesce({ by: 'sku' }).wrap(quote, { options: (sku) => ({ keys: { sku } }) })
 * ```
 */
export function coalesce(options: CoalesceOptions): Coalesce {
  const owner = new CoalesceOwner(checkOptions('coalesce', options, { by: callKey, name: text('coalesce') }))
  return managed<Coalesce>('coalesce', { name: owner.name, owner, wrap: owner.wrap }, coalesceKind)
}

const coalesceKind = /* @__PURE__ */ managedKind<CoalesceEvents>({ joined: true })
