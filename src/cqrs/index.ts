export type {
  AppendCondition,
  AppendOptions,
  AppendReceipt,
  AppendRequest,
  AppendRequests,
  AppendVerdict,
  AppendVerdicts,
  EventQuery,
  EventStore,
  EventStoreStats,
  Expectation,
  JoinedEvents,
  LogBatch,
  LogHead,
  LogRead,
  NewEvent,
  StoredEvent,
  StreamRead,
  StreamWrite,
} from '../ports/event-store.ts'
export { type KeyValueKeys, type KeyValueKeysOptions, keyValueKeys, type MasterKey } from './event-store/key-value-keys.ts'
export type { ShreddedEventStore } from './event-store/shredded-events.ts'
export { isForgotten, type ShreddingOptions, shredding } from './event-store/shredding.ts'
export type { SubjectKey, SubjectKeys } from './event-store/subject-keys.ts'
export { tenantEvents } from './event-store/tenant-events.ts'
