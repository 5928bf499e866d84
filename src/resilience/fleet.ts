import type { Events } from '../core/events.ts'
import { invalidOption } from '../core/options.ts'
import { ownerOf, partsOf } from '../core/policy-inside.ts'
import type { BreakerGuard } from './breaker-guard.ts'
import type { CircuitBreaker } from './circuit-breaker.ts'
import { FleetMember } from './fleet-member.ts'
import { checkFleet, type FleetOptions } from './fleet-options.ts'
import type { FleetEvents, FleetStats } from './fleet-readouts.ts'
import { checkEvent, type EventNames } from './managed.ts'
import { register } from './metrics.ts'

export interface Fleet extends Events<FleetEvents> {
  readonly name: string
  /** This instance's name among the others. */
  readonly instance: string
  /** What the fleet is, as far as this instance knows; `alone` while it has no news of it. */
  readonly state: FleetStats['state']
  stats(): FleetStats
  /** Joins. Resolves when the store has answered or failed to; an instance that cannot reach it is alone, and goes on trying. Idempotent. */
  start(): Promise<void>
  /** Leaves: its breaker is its own again, and the others do not wait for what it said to run out. Idempotent, never rejects. */
  close(): Promise<void>
}

/**
 * Lets the breakers of many instances decide together: when enough of them find a dependency failing, all stop calling it, and when the
 * open time is over one of them probes for all.
 *
 * The breaker works as before and is used as before. While the fleet is open it refuses (`BREAKER_OPEN`, `state` `open`), whatever it
 * found itself. After the open time the first call that comes by, at whichever instance, waits for the lease and becomes the probe, with
 * the breaker's own `probes`; the others go on refusing. It succeeds: all close, by way of their ramp. It fails: the fleet stays open, for
 * longer where the breaker's `openMaxMs` says so. It does not answer for `probeMs`: another instance may.
 *
 * Guarantee and limit: of instances that reach the store, one at a time probes, and a verdict counts only where nobody has written since
 * the probe began. An instance that joins takes over what the fleet is and never changes it; what a breaker found before the fleet last
 * closed or opened says nothing. Without the store an instance believes the last thing it heard for `staleMs`, then its own breaker decides
 * alone, as it did without a fleet. An instance learns of a change by `watch`, at a heartbeat at the latest. An open fleet without a call
 * for a day is forgotten. Nothing is asked of the store for a call, but for the one that probes; one background timer per fleet.
 *
 * Stored, JSON, under `holdfast/fleet/<name>/`: `state` `{ version: 1, state, openMs, by }` for a day, `of/<instance>`
 * `{ version: 1, failing, under }` for `staleMs` (`under`: the revision of `state` at that time), and the lease of the same name with `probe`.
 *
 * @param breaker Made by `circuitBreaker()`; one fleet each.
 * @param options
 * - `store`: where the fleet meets, with `keyValue` and `lease`; opened and closed by you.
 * - `name`: one for all instances; default the breaker's.
 * - `quorum`: how many have to find it failing: a number, or `{ share, minimum }` of those alive; default `{ share: 0.5, minimum: 2 }`.
 * - `instance`: default a random name.
 * - `heartbeatMs`: 50 to 3,600,000, default 2,000; two requests to the store each.
 * - `staleMs`: at least two heartbeats, default five.
 * - `probeMs`: 1 to 3,600,000, default 30,000. Not less than the breaker needs for its probes.
 * - `storeTimeoutMs`: at least 1, default 1,000.
 *
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none).
 * @example
 * ```ts
 * const breaker = circuitBreaker({ name: 'inventory', trips: consecutive(5), openMs: 10_000 })
 * const together = fleet(breaker, { store: redisStorage(client), quorum: { share: 0.5 } })
 * await together.start()
 * ```
 */
export function fleet(breaker: CircuitBreaker, options: FleetOptions): Fleet {
  partsOf('fleet', breaker)
  const guard = ownerOf<BreakerGuard>(breaker)
  // Not by its class: it may be of the package's other copy.
  if (typeof guard.tryOut !== 'function') throw invalidOption('fleet', 'breaker', 'made by circuitBreaker()', breaker)
  const member = new FleetMember(guard, checkFleet(options, guard))
  register('fleet', member)
  return {
    name: member.name,
    instance: member.instance,
    get state() {
      return member.state
    },
    stats: () => member.stats(),
    start: () => member.start(),
    close: () => member.close(),
    on(name, listener) {
      checkEvent(`on of ${member.name}`, names, name)
      return member.events.on(name, listener)
    },
    once(name, listener) {
      checkEvent(`once of ${member.name}`, names, name)
      return member.events.once(name, listener)
    },
  }
}

const names: EventNames<FleetEvents> = { opened: true, halfOpened: true, closed: true, joined: true, lost: true }
