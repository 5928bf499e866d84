import type { Clock } from '../../core/clock.ts'
import { checkOptions } from '../../core/options.ts'
import { any, clock } from '../../core/rules.ts'
import type { Storage } from '../../ports/storage.ts'
import { MemoryJournal } from './journal.ts'
import { MemoryKeyValue } from './key-value.ts'
import { MemoryLease } from './lease.ts'
import { type MemoryStore, memoryStore } from './store.ts'

export interface MemoryStorageOptions {
  /** What leases and keys are timed by, monotonically. Default: the process's clock. */
  readonly clock?: Clock
  /** What is kept, shared with every other storage that is given the same one. Default: a store of its own. */
  readonly store?: MemoryStore
}

const rules = {
  clock,
  store: any<MemoryStore | undefined>(
    'made by memoryStore()',
    (value) => typeof value === 'object' && value !== null && 'sagas' in value,
    undefined,
  ),
}

/** Everything that the memory storage carries. */
export type MemoryStorage = Storage & Required<Pick<Storage, 'keyValue' | 'lease'>>

/**
 * Keeps everything in this process's memory: for tests, demos and work that may be lost. The reference of every other storage.
 *
 * Content belongs to the store, not to its being open: `close()` and `open()` again finds everything, so a crash and a restart can be
 * played on one storage. Nothing survives the process. Sagas are never removed: memory grows with those that were started; keys and leases go
 * when their time is over. A `watch` whose reader is 100,000 changed keys behind ends with `QUEUE_FULL`.
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
  const read = checkOptions('memoryStorage', options, rules)
  const store = read.store ?? memoryStore()
  const sagaJournal = new MemoryJournal(store, read.clock)
  const keyValue = new MemoryKeyValue(store, read.clock)
  const lease = new MemoryLease(store, read.clock)
  const parts = [sagaJournal, keyValue, lease]
  return {
    engine: 'memory',
    ports: ['sagaJournal', 'keyValue', 'lease'],
    sagaJournal,
    keyValue,
    lease,
    open: async (signal) => {
      for (const part of parts) await part.open(signal)
    },
    migrate: async () => {},
    health: async () => (sagaJournal.isOpen ? { status: 'ok' } : { status: 'down', reason: 'the memory storage is not open' }),
    close: async () => {
      for (const part of parts) await part.close()
    },
  }
}
