export { type CheckpointsCase, type CheckpointsStand, checkpointsContract, type MakeCheckpoints } from './checkpoints.ts'
export {
  type EventStoreCase,
  type EventStoreNeed,
  type EventStoreStand,
  eventStoreContract,
  type MakeEventStore,
  type StandTransaction,
  standTransaction,
} from './event-store.ts'
export { type KeyValueStand, keyValueContract, type MakeKeyValue } from './key-value.ts'
export type { ContractCase } from './kit.ts'
export { type LeaseStand, leaseContract, type MakeLease } from './lease.ts'
export { type MakeNotifier, type NotifierStand, notifierContract } from './notifier.ts'
export { type MakeSagaJournalStore, type SagaJournalStore, sagaJournalContract } from './saga-journal.ts'
export { type MakeTransactions, type TransactionsStand, transactionsContract } from './transactions.ts'
export { type MakeTransport, type TransportBounds, type TransportStand, transportContract } from './transport.ts'
