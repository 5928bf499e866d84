import type { Checkpoint } from '../../ports/checkpoints.ts'
import type { SagaHead, SagaRecord } from '../../ports/saga-journal.ts'
import { EventLog } from './event-log.ts'
import { Holds } from './holds.ts'

export interface Kept {
  head: SagaHead
  readonly records: SagaRecord[]
}

export interface Lease {
  /** Null once released. */
  owner: string | null
  /** By the clock of the storage that claimed it. */
  untilMs: number
  epoch: number
}

/** The content of memory storages, apart from them: several storages over one store are like several processes on one database. */
export class MemoryStore {
  /** By id, in no order. */
  readonly sagas = new Map<string, Kept>()
  /** By shard. */
  readonly leases = new Map<number, Lease>()
  readonly events = new EventLog()
  /** By name. */
  readonly checkpoints = new Map<string, Checkpoint>()
  /** Who listens, by topic. */
  readonly listeners = new Map<string, Set<{ hint(): void }>>()
  /** What open transactions hold. */
  readonly holds = new Holds()
}

/**
 * Makes an empty store to hand to several `memoryStorage({ store })`, which then see each other's writes as processes on one database do.
 *
 * It grows with what is written and is never trimmed; it ends with the last reference to it.
 */
export const memoryStore = (): MemoryStore => new MemoryStore()
