export type { ContractCase } from './kit.ts'
export { type MakeSagaJournalStore, type SagaJournalStore, sagaJournalContract } from './saga-journal.ts'
