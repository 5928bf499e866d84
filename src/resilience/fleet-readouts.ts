import { type HoldfastError, refusal } from '../core/errors.ts'

export type FleetEvents = {
  /** The fleet is open from now on: enough instances find it failing, or a probe has failed. */
  readonly opened: { readonly name: string; readonly openMs: number; readonly by: string }
  /** An instance probes for all. */
  readonly halfOpened: { readonly name: string; readonly by: string }
  readonly closed: { readonly name: string; readonly by: string }
  /** It has news of the fleet, for the first time or again. */
  readonly joined: { readonly name: string; readonly state: 'closed' | 'open' | 'half-open' }
  /** No news for `staleMs`: its breaker decides alone. */
  readonly lost: { readonly name: string; readonly error: unknown }
}

export interface FleetStats {
  /** `alone`: no news for `staleMs`. */
  readonly state: 'closed' | 'open' | 'half-open' | 'alone'
  /** Instances that were alive, and those that found it failing, when this one last counted: it does while its own breaker is not closed. */
  readonly instances: number
  readonly failing: number
  /** Whether its breaker is kept shut by the fleet. */
  readonly held: boolean
  /** Whether it is this instance that probes. */
  readonly probing: boolean
  /** Exchanges with the store. */
  readonly exchanged: number
  readonly failed: number
}

/** Told at least, where nobody knows how long the others will be. */
const SOON_MS = 100

/** One for all calls until the next change; how long that lasts is told when it is read. */
export function fleetRefusal(name: string, remainingMs: () => number): HoldfastError {
  const error = refusal('BREAKER_OPEN', `${name} is open in the whole fleet: enough instances find it failing`)
  return Object.defineProperty(error, 'retryAfterMs', { get: () => Math.max(SOON_MS, remainingMs()), enumerable: true })
}
