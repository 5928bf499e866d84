import type { Clock } from '../../core/clock.ts'
import { checkOptions } from '../../core/options.ts'
import { any, clock } from '../../core/rules.ts'
import type { Storage } from '../../ports/storage.ts'
import { MemoryJournal } from './journal.ts'
import { type MemoryStore, memoryStore } from './store.ts'

export interface MemoryStorageOptions {
  /** What leases are timed by, monotonically. Default: the process's clock. */
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

/**
 * Keeps everything in this process's memory: for tests, demos and work that may be lost. The reference of every other storage.
 *
 * Content belongs to the store, not to its being open: `close()` and `open()` again finds everything, so a crash and a restart can be
 * played on one storage. Nothing survives the process, and nothing is ever removed: memory grows with the sagas that were started.
 *
 * @param options
 * - `clock`: what leases are timed by, monotonically; default the process's clock.
 * - `store`: shared content; several storages over one `memoryStore()` are like several processes on one database. Default: its own.
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none) for an unknown or unfit option.
 * @example
 * ```ts
 * const hf = holdfast({ service: 'shop', storage: memoryStorage(), sagas: [flow] })
 * ```
 */
export function memoryStorage(options?: MemoryStorageOptions): Storage {
  const read = checkOptions('memoryStorage', options, rules)
  const sagaJournal = new MemoryJournal(read.store ?? memoryStore(), read.clock)
  return {
    engine: 'memory',
    ports: ['sagaJournal'],
    sagaJournal,
    open: (signal) => sagaJournal.open(signal),
    migrate: async () => {},
    health: async () => (sagaJournal.isOpen ? { status: 'ok' } : { status: 'down', reason: 'the memory storage is not open' }),
    close: () => sagaJournal.close(),
  }
}
