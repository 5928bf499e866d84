import type { Policy } from '../core/handler.ts'
import { ownerOf } from '../core/policy-inside.ts'
import { BreakerGuard } from './breaker-guard.ts'
import { type CircuitBreakerOptions, type CircuitBreakerSettings, checkBreaker } from './breaker-options.ts'
import type { BreakerEvents, BreakerState, BreakerStats, Isolation } from './breaker-readouts.ts'
import type { BreakerSnapshot } from './breaker-snapshot.ts'
import { type Managed, managed, managedKind } from './managed.ts'

export interface CircuitBreaker extends Policy, Managed<BreakerStats, CircuitBreakerSettings, BreakerEvents> {
  readonly name: string
  readonly state: BreakerState
  /**
   * Refuses every call (`BREAKER_ISOLATED`, without `retryAfterMs`) until what it returns is released or disposed of; with several, until the
   * last is. Outcomes of calls from before count nothing. Afterwards a breaker that was closed is closed, with the window it had; one that
   * was not stays open for what is left of its time and then probes.
   */
  isolate(): Isolation
  /** Closes it, whatever its state, ends every isolation and forgets the windows; outcomes of calls from before count nothing. */
  close(): void
  /** Its state as JSON, for a process that starts later. */
  snapshot(): BreakerSnapshot
  /**
   * Takes over a state. An open period is not longer than `openMaxMs`; windows count where the trips are of the same kinds, and totals
   * count as of now; counters of `stats()` do not change but for `opened`. An isolation stays.
   *
   * @throws {HoldfastError} `INVALID_OPTIONS` (effect none) when it is not what `snapshot()` makes, and nothing has changed.
   */
  restore(snapshot: BreakerSnapshot): void
}

/**
 * Stops calling what keeps failing, and finds out by itself when it works again: closed → open → half-open → closed.
 *
 * An outcome counts only for the state that admitted it: a late answer from before the trip decides nothing. Half-open admits exactly
 * `probes` calls; a probe that hangs counts as failed after `probeTimeoutMs`, and one that its caller cancelled decides nothing. With
 * `rampMs` the way from there to closed is gradual. There is no timer: an idle breaker costs nothing, and each state is left when the next
 * call comes by. `reconfigure` keeps the windows; what has begun (an open period) keeps its time, and trips may not need more of the clock
 * than those it was made with: none for `consecutive` and `countWindow`, most for `slowCallMs`.
 *
 * @throws {HoldfastError} `BREAKER_OPEN` (effect none, retry later, `retryAfterMs`) while it is open, all probes are out, or for calls
 * beyond the share of a ramp; one stackless error per open period · `BREAKER_ISOLATED` (effect none, retry later) while it is isolated ·
 * `INVALID_OPTIONS` (effect none).
 * @example
 * ```ts
 * const breaker = circuitBreaker({ name: 'inventory', trips: consecutive(5), openMs: 10_000 })
 * breaker.on('opened', ({ name }) => log.warn({ name }, 'circuit opened'))
 * ```
 * Source: M. Nygard, "Release It!" (2007), Circuit Breaker.
 */
export function circuitBreaker(options?: CircuitBreakerOptions): CircuitBreaker {
  const { name, settings } = checkBreaker(options)
  return managed<CircuitBreaker>('circuitBreaker', { guard: new BreakerGuard(name, settings) }, breakerKind)
}

const breakerKind = /* @__PURE__ */ managedKind<BreakerEvents>(
  { opened: true, halfOpened: true, ramping: true, closed: true, isolated: true, released: true },
  {
    get state(): BreakerState {
      return ownerOf<BreakerGuard>(this).state
    },
    isolate(): Isolation {
      const guard = ownerOf<BreakerGuard>(this)
      const release = (): void => guard.release(isolation)
      const isolation: Isolation = { release, [Symbol.dispose]: release }
      guard.isolate(isolation)
      return isolation
    },
    close(): void {
      ownerOf<BreakerGuard>(this).close()
    },
    snapshot(): BreakerSnapshot {
      return ownerOf<BreakerGuard>(this).snapshot()
    },
    restore(snapshot: BreakerSnapshot): void {
      ownerOf<BreakerGuard>(this).restore(snapshot)
    },
  },
)
