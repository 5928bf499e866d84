import type { ContractCase } from './kit.ts'
import { leaseHoldCases } from './lease-hold.ts'
import { leaseReadCases } from './lease-read.ts'
import type { MakeLease } from './lease-stand.ts'

export type { LeaseStand, MakeLease } from './lease-stand.ts'

/**
 * What every `Lease` has to show, as data for any test runner: each case names the promise of the port that it cites.
 *
 * Of promise 8 it shows what all engines share; an engine that does not answer is the adapter's own test.
 *
 * @example
 * ```ts
 * for (const { promise, name, run } of leaseContract) {
 *   test(`promise ${promise}: ${name}`, () => run(async () => ({ lease: () => open(url), passMs: sleep, close: drop })))
 * }
 * ```
 */
export const leaseContract: readonly ContractCase<MakeLease>[] = [...leaseHoldCases, ...leaseReadCases]
