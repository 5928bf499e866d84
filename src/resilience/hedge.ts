import type { Policy } from '../core/handler.ts'
import { checkOptions } from '../core/options.ts'
import { clock, text } from '../core/rules.ts'
import type { HedgeEvents, HedgeOptions, HedgeSettings, HedgeStats } from './hedge-options.ts'
import { HedgeOwner, settings } from './hedge-owner.ts'
import { type Managed, managed, managedKind } from './managed.ts'

export interface Hedge extends Policy, Managed<HedgeStats, HedgeSettings, HedgeEvents> {
  readonly name: string
}

/**
 * Starts the work once more, beside a first attempt that is slow, and answers with whichever succeeds first. For work that may safely be
 * done twice: reads, or writes with the `ctx.idempotencyKey`, which all attempts share.
 *
 * The loser's `ctx.signal` is aborted; the permits around the hedge stay taken until it has settled. A failure is answered when no other
 * attempt is running: hedging is against slowness, `retry()` against failure. At most `hedgedMaxShare` of the calls are hedged, so that a
 * slow dependency does not get twice the load.
 *
 * @throws what the last attempt to fail threw · {HoldfastError} `ABORTED`, `TIMEOUT`, `DEADLINE` (effect unknown) when the caller's patience
 * ended · `INVALID_OPTIONS` (effect none).
 * @example
 * ```ts
 * const read = policies(timeout({ timeoutMs: 1_000 }), hedge({ quantile: 0.95, hedgedMaxShare: 0.05 }))
 * ```
 * Source: J. Dean, L. A. Barroso, "The Tail at Scale" (2013).
 */
export function hedge(options?: HedgeOptions): Hedge {
  const owner = new HedgeOwner(checkOptions('hedge', options, { ...settings, name: text('hedge'), clock }))
  return managed<Hedge>('hedge', { name: owner.name, owner, repeats: true, wrap: owner.wrap }, hedgeKind)
}

const hedgeKind = /* @__PURE__ */ managedKind<HedgeEvents>({ hedged: true })
