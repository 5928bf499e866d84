import type {
  AppendCondition,
  AppendReceipt,
  AppendRequest,
  AppendVerdict,
  EventStore,
  Expectation,
  LogBatch,
  LogRead,
  NewEvent,
  StoredEvent,
  StreamRead,
} from '../../ports/event-store.ts'
import type { Transactions } from '../../ports/transactions.ts'
import { type ContractCase, same } from './kit.ts'

/** A transaction of the user's, open until one of its two ends. */
export interface StandTransaction {
  readonly tx: unknown
  readonly commit: () => Promise<void>
  readonly rollback: () => Promise<void>
}

/** One fresh, empty log that a contract case works on. */
export interface EventStoreStand {
  /** One more opening of the same log, not yet opened: another process, as far as the engine can tell. */
  readonly store: () => EventStore
  /** Begins a transaction on the same database, as a user would. Without it the cases that need `transactions` are left out. */
  readonly transaction?: () => Promise<StandTransaction>
  /** Lets time pass: moves the test clock, or waits where the engine's own clock counts. */
  readonly passMs: (ms: number) => Promise<void>
  /** Closes and removes everything. */
  readonly close: () => Promise<void>
}

export type MakeEventStore = () => Promise<EventStoreStand>

/**
 * What a case asks of an engine beyond the store. `transactions`: the user's own, to join. `others`: that an open one holds up only who asks for
 * what it holds (in SQLite it holds up every write).
 */
export type EventStoreNeed = 'transactions' | 'others'

export interface EventStoreCase extends ContractCase<MakeEventStore> {
  readonly needs?: EventStoreNeed
}

/** A transaction of `Transactions` as the stand hands it out. */
export async function standTransaction<Tx>(transactions: Transactions<Tx>): Promise<StandTransaction> {
  let begun: (tx: Tx) => void = () => {}
  let end: { commit(): void; rollback(): void } = { commit: () => {}, rollback: () => {} }
  const tx = new Promise<Tx>((resolve) => {
    begun = resolve
  })
  const undone = new Error('rolled back')
  const held = new Promise<void>((resolve, reject) => {
    end = { commit: resolve, rollback: () => reject(undone) }
  })
  const over = transactions.run(async (open) => {
    begun(open)
    await held
  })
  over.catch(() => {})
  held.catch(() => {})
  return {
    tx: await Promise.race([tx, over]),
    commit: async () => {
      end.commit()
      await over
    },
    rollback: async () => {
      end.rollback()
      await over.catch((error: unknown) => {
        if (error !== undone) throw error
      })
    },
  }
}

export interface Scene {
  readonly first: EventStore
  readonly second: EventStore
  readonly stand: EventStoreStand
  /** Opens one more; it is closed at the end. */
  readonly open: () => Promise<EventStore>
  /** Begins a transaction; what the case leaves open is rolled back at the end. */
  readonly begin: () => Promise<StandTransaction>
}

/** Runs a case on a fresh log with two opened stores of it, and ends everything. */
export const onLog =
  (body: (scene: Scene) => Promise<void>) =>
  async (make: MakeEventStore): Promise<void> => {
    const stand = await make()
    const stores: EventStore[] = []
    const begun = new Set<StandTransaction>()
    const open = async (): Promise<EventStore> => {
      const store = stand.store()
      stores.push(store)
      await store.open()
      return store
    }
    const begin = async (): Promise<StandTransaction> => {
      if (stand.transaction === undefined) throw new Error('this case needs transactions, and the stand has none')
      const { tx, commit, rollback } = await stand.transaction()
      const ending = (end: () => Promise<void>) => async (): Promise<void> => {
        begun.delete(open)
        await end()
      }
      const open: StandTransaction = { tx, commit: ending(commit), rollback: ending(rollback) }
      begun.add(open)
      return open
    }
    try {
      await body({ first: await open(), second: await open(), stand, open, begin })
    } finally {
      for (const transaction of begun) await transaction.rollback()
      for (const store of stores) await store.close()
      await stand.close()
    }
  }

export const event = (type = 'placed', change: Partial<NewEvent> = {}): NewEvent => ({ type, data: { type }, ...change })
export const tagged = (...tags: string[]): NewEvent => event('placed', { tags })

/** A request of one write. */
export const one = (
  stream: string,
  expect: Expectation = 'any',
  events: readonly NewEvent[] = [event()],
  change: Partial<AppendRequest> = {},
): AppendRequest => ({
  writes: [{ stream, expect, events }],
  ...change,
})

/** That nothing with all of the tags has come after a position. */
export const nothingOf = (after: bigint, ...tags: string[]): AppendCondition => ({ queries: [{ tags }], after })

/** A verdict as words. */
export const word = (verdict: AppendVerdict | undefined): string => {
  if (verdict === undefined) return 'no verdict'
  if (verdict.result === 'conflict') return `conflict ${verdict.reason}`
  if (verdict.result === 'none' || verdict.result === 'unknown') return `${verdict.result} ${verdict.error.code}`
  return verdict.result
}

export const words = (verdicts: readonly AppendVerdict[]): string[] => verdicts.map(word)

/** The receipt of the only verdict, which is `ok`. */
export function receiptOf(verdict: AppendVerdict | undefined): AppendReceipt {
  if (verdict?.result !== 'ok') throw new Error(`expected ok, got ${word(verdict)}`)
  const { versions, position, token } = verdict
  return { versions, position, token }
}

/** Appends one request, which has to be written; returns its receipt. */
export const put = async (store: EventStore, request: AppendRequest): Promise<AppendReceipt> =>
  receiptOf((await store.append([request]))[0])

export const placeOf = ({ position }: AppendReceipt | StoredEvent): bigint => {
  if (position === undefined) throw new Error('expected a position')
  return position
}

export async function streamOf(store: EventStore, stream: string, read?: StreamRead): Promise<StoredEvent[]> {
  const events: StoredEvent[] = []
  for await (const batch of store.readStream(stream, read)) events.push(...batch)
  return events
}

/** Reads to the end, and checks on the way that each batch but an empty first one moves on. */
export async function batchesOf(store: EventStore, read: LogRead = {}): Promise<LogBatch[]> {
  const batches: LogBatch[] = []
  let at = read.after ?? 0n
  for await (const batch of store.readAll(read)) {
    const moves = batch.scannedTo > at || (batches.length === 0 && batch.events.length === 0 && batch.scannedTo === at)
    if (!moves) throw new Error(`scannedTo: from ${at} to ${batch.scannedTo} with ${batch.events.length} events`)
    at = batch.scannedTo
    batches.push(batch)
  }
  return batches
}

export const logOf = async (store: EventStore, read?: LogRead): Promise<StoredEvent[]> =>
  (await batchesOf(store, read)).flatMap(({ events }) => events)

/** `stream@version`, in order. */
export const names = (events: readonly StoredEvent[]): string[] => events.map(({ stream, version }) => `${stream}@${version}`)

/** Checks that a log's positions are 1, 2, 3 … */
export const isGapless = (what: string, events: readonly StoredEvent[]): void =>
  same(
    what,
    events.map(({ position }) => position),
    events.map((_, i) => BigInt(i + 1)),
  )

const ROUNDS = 4_000

/** Lets time pass until the work is done. */
export async function passing<T>(stand: EventStoreStand, work: Promise<T>): Promise<T> {
  let done = false
  const settled = work.finally(() => {
    done = true
  })
  settled.catch(() => {})
  for (let round = 0; round < ROUNDS && !done; round++) await stand.passMs(5)
  if (!done) throw new Error('it did not come to an end')
  return await settled
}
