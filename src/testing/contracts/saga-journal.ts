import type { MakeSagaJournalStore } from './journal-store.ts'
import type { ContractCase } from './kit.ts'
import { claimCases } from './saga-journal-claim.ts'
import { readCases } from './saga-journal-read.ts'
import { writeCases } from './saga-journal-write.ts'

export type { MakeSagaJournalStore, SagaJournalStore } from './journal-store.ts'

/**
 * What every `SagaJournal` has to show, as data for any test runner: each case names the promise of the port that it cites.
 *
 * Of promise 11 it shows what all engines share; corrupt, foreign, newer and locked stores are the adapter's own tests, as is
 * durability through a killed process.
 *
 * @example
 * ```ts
 * for (const { promise, name, run } of sagaJournalContract) {
 *   test(`promise ${promise}: ${name}`, () => run(async () => ({ journal: () => open(url), passMs: sleep, close: drop })))
 * }
 * ```
 */
export const sagaJournalContract: readonly ContractCase<MakeSagaJournalStore>[] = [...writeCases, ...claimCases, ...readCases]
