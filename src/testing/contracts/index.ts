export type { ContractCase } from './kit.ts'
export { type MakeSagaJournalStore, type SagaJournalStore, sagaJournalContract } from './saga-journal.ts'
export { type MakeTransport, type TransportBounds, type TransportStand, transportContract } from './transport.ts'
