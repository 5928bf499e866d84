// A small world for sagas: virtual time, a journal in memory, and participants that honour idempotency keys.
import { type MemoryStore, memoryStorage, memoryStore } from '../../src/adapters/memory/index.ts'
import type { SagaJournal } from '../../src/ports/saga-journal.ts'
import { type SagaDefinition, type SagaEngine, type SagaEngineOptions, sagaEngine } from '../../src/saga/index.ts'
import { type TestClock, testClock } from '../../src/testing/test-clock.ts'

export interface World {
  readonly clock: TestClock
  readonly store: MemoryStore
  /** A process of its own: another storage over the same store. */
  process(definitions: readonly SagaDefinition<unknown, unknown>[], options?: ProcessOptions): Promise<SagaEngine>
  /** Lets virtual time pass until the work has settled, however it settles. */
  settle<T>(work: Promise<T>): Promise<T>
}

export interface ProcessOptions extends Partial<Omit<SagaEngineOptions, 'definitions' | 'journal'>> {
  readonly journal?: (journal: SagaJournal) => SagaJournal
}

export function world(): World {
  const clock = testClock()
  const store = memoryStore()
  return {
    clock,
    store,
    async process(definitions, { journal = (inner: SagaJournal) => inner, ...options } = {}) {
      const storage = memoryStorage({ clock, store })
      const engine = sagaEngine({ clock, random: () => 0.5, ...options, definitions, journal: journal(storage.sagaJournal) })
      await engine.start()
      return engine
    },
    async settle(work) {
      let settled = false
      const done = (): void => {
        settled = true
      }
      work.then(done, done)
      for (let hop = 0; hop < 10_000; hop++) {
        await turns()
        if (settled) return work
        await clock.next()
      }
      throw new Error('nothing settled within 10,000 timers')
    },
  }
}

/** Lets everything happen that needs no time. */
export async function turns(count = 12): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
}

/** Settles when told to. */
export function gate<T = void>(): { readonly promise: Promise<T>; open(value: T): void; fail(error: unknown): void } {
  let open!: (value: T) => void
  let fail!: (error: unknown) => void
  const promise = new Promise<T>((resolve, reject) => {
    open = resolve
    fail = reject
  })
  // A gate may fail before anybody stands at it.
  promise.catch(() => {})
  return { promise, open, fail }
}

/** Turns a rejection into its error, so that a test can look at it. */
export const errorOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => {
      throw new Error('it was expected to reject')
    },
    (error: unknown) => error,
  )

/** A journal with some of its methods replaced. */
export const journalWith = (inner: SagaJournal, replaced: Partial<SagaJournal>): SagaJournal => ({
  open: (signal) => inner.open(signal),
  append: (writes, signal) => inner.append(writes, signal),
  claim: (owner, options) => inner.claim(owner, options),
  release: (owner, signal) => inner.release(owner, signal),
  head: (id, signal) => inner.head(id, signal),
  read: (id, signal) => inner.read(id, signal),
  list: (filter, signal) => inner.list(filter, signal),
  close: () => inner.close(),
  ...replaced,
})
