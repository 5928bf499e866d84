import type { Clock } from '../core/clock.ts'
import type { Events } from '../core/events.ts'
import type { Policy } from '../core/handler.ts'
import { checkOptions, invalidOption } from '../core/options.ts'
import type { Outcome, Verdict } from '../core/outcome.ts'
import { makePolicy, policyKind } from '../core/policy.ts'
import { ownerOf } from '../core/policy-inside.ts'
import { any, clock, durationMs, fn, optional, text, whole } from '../core/rules.ts'
import { type BreakerEvents, BreakerGuard, type BreakerState } from './breaker-guard.ts'
import { type Trip, timeWindow } from './trip.ts'

export interface CircuitBreakerOptions {
  /** Stands for it in errors, events and diagnostics; default `breaker`. */
  readonly name?: string
  /** When it opens: one trip or several, any of which opens it. Default: half of at least 10 calls in 10 s failed. */
  readonly trips?: Trip | readonly Trip[]
  /** How long it stays open before it lets probes through; at least 1 ms, default 30,000. */
  readonly openMs?: number
  /** Each time a probe fails it stays open twice as long, up to this; at least `openMs`, default `openMs`: it does not grow. */
  readonly openMaxMs?: number
  /** How many calls may probe at once while half-open, all of which have to succeed; at least 1, default 1. */
  readonly probes?: number
  /** A probe that has not ended after this long counts as failed; at least 1 ms, default 30,000. */
  readonly probeTimeoutMs?: number
  /**
   * How an outcome counts; default: errors fail. Our refusals, `declined()` and calls whose caller gave up are always ignored. Where it
   * throws, or answers with anything but a verdict, results succeed and errors fail.
   */
  readonly classify?: (outcome: Outcome<unknown>) => Verdict
  readonly clock?: Clock
}

export interface CircuitBreaker extends Policy, Events<BreakerEvents> {
  readonly state: BreakerState
}

/**
 * Stops calling what keeps failing, and finds out by itself when it works again: closed → open → half-open → closed.
 *
 * An outcome counts only for the state that admitted it: a late answer from before the trip decides nothing. Half-open admits exactly
 * `probes` calls; a probe that hangs counts as failed after `probeTimeoutMs`, and one that its caller cancelled decides nothing. There is
 * no timer: an idle breaker costs nothing.
 *
 * @throws {HoldfastError} `BREAKER_OPEN` (effect none, retry later, `retryAfterMs`) while it is open or all probes are out; one stackless
 * error per open period · `INVALID_OPTIONS` (effect none).
 * @example
 * ```ts
 * const breaker = circuitBreaker({ name: 'inventory', trips: consecutive(5), openMs: 10_000 })
 * breaker.on('opened', ({ name }) => log.warn({ name }, 'circuit opened'))
 * ```
 * Source: M. Nygard, "Release It!" (2007), Circuit Breaker.
 */
export function circuitBreaker(options?: CircuitBreakerOptions): CircuitBreaker {
  const checked = checkOptions('circuitBreaker', options, rules)
  const openMaxMs = checked.openMaxMs ?? checked.openMs
  if (openMaxMs < checked.openMs) throw invalidOption('circuitBreaker', 'openMaxMs', `at least openMs (${checked.openMs})`, openMaxMs)
  const trips = Array.isArray(checked.trips) ? (checked.trips as readonly Trip[]) : [checked.trips as Trip]
  return makePolicy<CircuitBreaker>([{ guard: new BreakerGuard({ ...checked, trips, openMaxMs }) }], breakerKind)
}

const isTrip = (value: unknown): boolean => typeof value === 'object' && value !== null && typeof (value as Trip).tally === 'function'

const rules = {
  name: text('breaker'),
  trips: any<Trip | readonly Trip[]>(
    'a trip or a non-empty array of trips: consecutive(), countWindow(), timeWindow()',
    (value) => (Array.isArray(value) ? value.length > 0 && value.every(isTrip) : isTrip(value)),
    /* @__PURE__ */ timeWindow({ windowMs: 10_000 }),
  ),
  openMs: durationMs({ min: 1, default: 30_000 }),
  openMaxMs: optional(durationMs({ min: 1, default: 30_000 })),
  probes: whole({ min: 1, default: 1 }),
  probeTimeoutMs: durationMs({ min: 1, default: 30_000 }),
  classify: fn<(outcome: Outcome<unknown>) => Verdict>((outcome) => (outcome.ok ? 'success' : 'failure')),
  clock,
}

const breakerKind = /* @__PURE__ */ policyKind({
  get state(): BreakerState {
    return ownerOf<BreakerGuard>(this).state
  },
  on(...args: Parameters<Events<BreakerEvents>['on']>): () => void {
    return ownerOf<BreakerGuard>(this).events.on(...args)
  },
  once(...args: Parameters<Events<BreakerEvents>['once']>): () => void {
    return ownerOf<BreakerGuard>(this).events.once(...args)
  },
})
