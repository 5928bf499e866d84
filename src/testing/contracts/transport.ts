import type { ContractCase } from './kit.ts'
import { deadCases } from './transport-dead.ts'
import { deliverCases } from './transport-deliver.ts'
import { publishCases } from './transport-publish.ts'
import type { MakeTransport } from './transport-stand.ts'

export type { MakeTransport, TransportBounds, TransportStand } from './transport-stand.ts'

/**
 * What every `Transport` has to show, as data for any test runner: each case names the promise of the port that it cites.
 *
 * @example
 * ```ts
 * for (const { promise, name, run } of transportContract) {
 *   test(`promise ${promise}: ${name}`, () => run(async (bounds) => ({ transport: open(bounds), passMs: sleep, close: drop })))
 * }
 * ```
 */
export const transportContract: readonly ContractCase<MakeTransport>[] = [...publishCases, ...deliverCases, ...deadCases]
