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

export interface KeptValue {
  readonly value: string
  readonly revision: number
  /** By the clock of the storage that wrote it; infinite: until it is deleted. */
  readonly untilMs: number
}

export interface KeptName {
  readonly owner: string
  readonly token: number
  untilMs: number
}

/** Somebody who wants to know of changed keys. */
export interface KeyWatcher {
  /** `untilMs`: when its time is over; undefined where it is gone. */
  changed(key: string, untilMs: number | undefined): void
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
  readonly values = new Map<string, KeptValue>()
  /** The latest revision of any key: one row of numbers for all of them, so that none comes back when its key is forgotten. */
  revision = 0
  readonly watchers = new Set<KeyWatcher>()
  /** Names that are held, or were until their time was over. */
  readonly names = new Map<string, KeptName>()
  /** The latest token of any name. */
  token = 0
}

/**
 * Makes an empty store to hand to several `memoryStorage({ store })`, which then see each other's writes as processes on one database do.
 *
 * It grows with what is written; only keys and leases whose time is over are trimmed. It ends with the last reference to it.
 */
export const memoryStore = (): MemoryStore => new MemoryStore()
