import type { Policy } from '../core/handler.ts'
import { checkOptions } from '../core/options.ts'
import { clock, optional, text, whole } from '../core/rules.ts'
import type { ChaosEvents, ChaosOptions, ChaosSettings, ChaosStats } from './chaos-options.ts'
import { ChaosOwner, settings } from './chaos-owner.ts'
import { type Managed, managed, managedKind } from './managed.ts'

export interface Chaos extends Policy, Managed<ChaosStats, ChaosSettings, ChaosEvents> {
  readonly name: string
}

/**
 * Disturbs a share of calls on purpose: slower, failing, or with another answer. Put it innermost, so that the policies around it meet what
 * they are there for.
 *
 * The same seed disturbs the same calls, counted in order. A delay ends at once when the caller gives up.
 *
 * @throws whatever `fault` made · {HoldfastError} `ABORTED`, `TIMEOUT`, `DEADLINE` (effect none) when the caller's patience ended during the
 * delay · `INVALID_OPTIONS` (effect none).
 * @example
 * ```ts
 * const drill = policies(retry(), timeout({ timeoutMs: 500 }), chaos({ rate: 0.05, latencyMs: { min: 100, max: 900 }, seed: 7 }))
 * ```
 */
export function chaos(options?: ChaosOptions): Chaos {
  const owner = new ChaosOwner(checkOptions('chaos', options, rules))
  return managed<Chaos>('chaos', { name: owner.name, owner, wrap: owner.wrap }, chaosKind)
}

const rules = { ...settings, seed: optional(whole({ max: 4_294_967_295, default: 0 })), name: text('chaos'), clock }

const chaosKind = /* @__PURE__ */ managedKind<ChaosEvents>({ disturbed: true })
