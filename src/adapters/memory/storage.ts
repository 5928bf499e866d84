import type { Clock } from '../../core/clock.ts'
import { checkOptions } from '../../core/options.ts'
import { any, clock } from '../../core/rules.ts'
import type { Storage } from '../../ports/storage.ts'
import { MemoryCheckpoints } from './checkpoints.ts'
import { MemoryEventStore } from './event-store.ts'
import { MemoryJournal } from './journal.ts'
import { MemoryKeyValue } from './key-value.ts'
import { MemoryLease } from './lease.ts'
import { MemoryNotifier } from './notifier.ts'
import { type MemoryStore, memoryStore } from './store.ts'

export interface MemoryStorageOptions {
  /** What leases and keys are timed by, monotonically. Default: the process's clock. */
  readonly clock?: Clock
  /** What is kept, shared with every other storage that is given the same one. Default: a store of its own. */
  readonly store?: MemoryStore
}

/** A storage that says what it keeps its content in. */
export interface MemoryStorage extends Storage {
  readonly store: MemoryStore
}

const rules = {
  clock,
  store: any<MemoryStore | undefined>(
    'made by memoryStore()',
    (value) => typeof value === 'object' && value !== null && 'sagas' in value,
    undefined,
  ),
}

/**
 * Keeps everything in this process's memory: for tests, demos and work that may be lost. The reference of every other storage.
 *
 * Content belongs to the store, not to its being open: `close()` and `open()` again finds everything, so a crash and a restart can be
 * played on one storage. Nothing survives the process. Sagas, and events until they are truncated, stay: memory grows with what was written.
 * Keys and leases go when their time is over; idempotency keys are kept for as long as the store. A `watch` whose reader is 100,000 changed keys
 * behind ends with `QUEUE_FULL`.
 *
 * @param options
 * - `clock`: what leases and keys are timed by, monotonically; default the process's clock.
 * - `store`: shared content; several storages over one `memoryStore()` are like several processes on one database. Default: its own.
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none) for an unknown or unfit option.
 * @example
 * ```ts
 * const hf = holdfast({ service: 'shop', storage: memoryStorage(), sagas: [flow] })
 * ```
 */
export function memoryStorage(options?: MemoryStorageOptions): MemoryStorage {
  const { store = memoryStore(), clock } = checkOptions('memoryStorage', options, rules)
  const sagaJournal = new MemoryJournal(store, clock)
  const parts = {
    sagaJournal,
    eventStore: new MemoryEventStore(store, clock),
    keyValue: new MemoryKeyValue(store, clock),
    lease: new MemoryLease(store, clock),
    notifier: new MemoryNotifier(store, clock),
    checkpoints: new MemoryCheckpoints(store, clock),
  }
  return {
    engine: 'memory',
    ports: Object.keys(parts),
    store,
    ...parts,
    open: async (signal) => {
      for (const part of Object.values(parts)) await part.open(signal)
    },
    migrate: async () => {},
    health: async () => (sagaJournal.isOpen ? { status: 'ok' } : { status: 'down', reason: 'the memory storage is not open' }),
    close: async () => {
      for (const part of Object.values(parts)) await part.close()
    },
  }
}
