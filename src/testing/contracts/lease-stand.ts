import type { Lease, LeaseGrant } from '../../ports/lease.ts'
import { check } from './kit.ts'

/** One fresh, empty store that a contract case works on. */
export interface LeaseStand {
  /** One more opening of the same store, not yet opened: another process, as far as the engine can tell. */
  readonly lease: () => Lease
  /** Lets so much of the time pass by which leases end: moves the test clock, or waits where the engine's own clock counts. */
  readonly passMs: (ms: number) => Promise<void>
  /** Closes and removes everything. */
  readonly close: () => Promise<void>
}

export type MakeLease = () => Promise<LeaseStand>

/** How long the cases' leases last. An engine with a clock of its own waits for a few of them. */
export const TTL_MS = 400

/** Runs a case on a fresh store with two opened openings of it, and ends them. */
export const onLeases =
  (body: (first: Lease, second: Lease, stand: LeaseStand) => Promise<void>) =>
  async (make: MakeLease): Promise<void> => {
    const stand = await make()
    const first = stand.lease()
    const second = stand.lease()
    try {
      await first.open()
      await second.open()
      await body(first, second, stand)
    } finally {
      await first.close()
      await second.close()
      await stand.close()
    }
  }

/** The grant, or an error where there is none; it is checked to last no longer than asked for. */
export async function granted(what: string, asked: Promise<LeaseGrant | undefined>, ttlMs = TTL_MS): Promise<LeaseGrant> {
  const grant = await asked
  if (grant === undefined) throw new Error(`${what}: expected a grant, there was none`)
  check(`${what}: 0 < ${grant.remainingMs} <= ${ttlMs}`, grant.remainingMs > 0 && grant.remainingMs <= ttlMs)
  check(`${what}: token ${grant.token} is whole and above 0`, Number.isSafeInteger(grant.token) && grant.token > 0)
  return grant
}

/** What can be compared of a grant: all but the time that is left. */
export const held = (grant: LeaseGrant | undefined): readonly [string, string, number] | undefined =>
  grant && [grant.name, grant.owner, grant.token]
