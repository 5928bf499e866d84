// Event stores on a schema of the test file's own, and transactions as a user opens them.
import pg from 'pg'
import { afterAll, beforeAll, expect } from 'vitest'
import type { PgClient } from '../../../../src/adapters/postgres/client/client.ts'
import { PgEventStore, type PgEventStoreOptions } from '../../../../src/adapters/postgres/events/store.ts'
import { migrate } from '../../../../src/adapters/postgres/migrations/migrate.ts'
import { namesOf } from '../../../../src/adapters/postgres/names.ts'
import { PgSession } from '../../../../src/adapters/postgres/session.ts'
import { defaultClock } from '../../../../src/core/clock.ts'
import type {
  AppendRequest,
  AppendVerdict,
  EventStore,
  Expectation,
  LogRead,
  NewEvent,
  StoredEvent,
} from '../../../../src/ports/event-store.ts'
import { type Admin, clientFor, type Driver, ownSchema, type Pooled, type PoolSettings, poolOf } from '../support.ts'

export const TABLES = ['event', 'event_archived', 'event_pending', 'event_stream', 'event_tag', 'event_tagged', 'event_key', 'event_batch']

export interface Bench extends Admin {
  readonly pooled: Pooled
  /** One more opening, as another process would have; not yet opened. */
  readonly store: (change?: Partial<PgEventStoreOptions>, client?: PgClient) => PgEventStore
  /** A connection of a user's own with a transaction begun on it. */
  readonly begin: (how?: string) => Promise<UserTransaction>
  /** Empties the log. */
  readonly clear: () => Promise<void>
  readonly table: (name: string) => string
}

/** What of a request is told in short: `none STREAM_BUSY`, `ok 1,2 @7`. */
export const told = (verdict: AppendVerdict | undefined): string => {
  if (verdict === undefined) return 'no verdict'
  if (verdict.result === 'ok') return `ok ${verdict.versions.join(',')} @${verdict.position}`
  if (verdict.result === 'duplicate') return `duplicate ${verdict.original.versions.join(',')} @${verdict.original.position}`
  if (verdict.result === 'conflict') return `conflict ${verdict.reason}`
  return `${verdict.result} ${verdict.error.code}`
}

export const event = (data: unknown = 1, change: Partial<NewEvent> = {}): NewEvent => ({ type: 'happened', data, ...change })

export const one = (
  stream: string,
  expect: Expectation = 'any',
  change: Partial<AppendRequest> & { events?: readonly NewEvent[] } = {},
): AppendRequest => {
  const { events = [event()], ...rest } = change
  return { writes: [{ stream, expect, events }], ...rest }
}

export async function logOf(store: EventStore, read: LogRead = {}): Promise<StoredEvent[]> {
  const events: StoredEvent[] = []
  for await (const batch of store.readAll(read)) events.push(...batch.events)
  return events
}

export async function streamOf(store: EventStore, stream: string): Promise<StoredEvent[]> {
  const events: StoredEvent[] = []
  for await (const batch of store.readStream(stream)) events.push(...batch)
  return events
}

/** That places are 1, 2, 3 … and, in each stream, versions too, in the same order. */
export function expectSound(events: readonly StoredEvent[]): void {
  expect(events.map(({ position }) => position)).toEqual(events.map((_, i) => BigInt(i + 1)))
  const versions = new Map<string, number>()
  for (const { stream, version } of events) {
    expect([stream, version]).toEqual([stream, (versions.get(stream) ?? 0) + 1])
    versions.set(stream, version)
  }
}

export interface UserTransaction {
  readonly tx: pg.PoolClient
  readonly commit: () => Promise<void>
  readonly rollback: () => Promise<void>
}

/** A schema with its tables, a pool of that driver, and what a test works with. */
export function bench(prefix: string, driver: Driver = 'pg', settings: PoolSettings = {}): Bench {
  const admin = ownSchema(prefix)
  const names = namesOf({ schema: admin.schema, prefix: '' })
  const pooled = poolOf(driver, { max: 10, ...settings })
  const users = new pg.Pool({ host: '127.0.0.1', user: 'postgres', database: 'postgres', max: 10 })
  beforeAll(() => migrate(clientFor(pooled), names, defaultClock))
  afterAll(async () => {
    await pooled.end()
    await users.end()
  })
  const clear = async (): Promise<void> => {
    for (const table of TABLES) await admin.run(`delete from ${names.of(table)}`)
    await admin.run(`update ${names.of('event_log')} set head = 0, incarnation = gen_random_uuid()`)
  }
  return {
    ...admin,
    pooled,
    clear,
    table: (name) => names.of(name),
    store: (change = {}, client = clientFor(pooled)) =>
      new PgEventStore(new PgSession({ client, names, clock: defaultClock, how: 'migrate' }), { keysKeptDays: 7, ...change }),
    begin: async (how = 'begin') => {
      const tx = await users.connect()
      await tx.query(how)
      const end = (word: string) => async (): Promise<void> => {
        try {
          await tx.query(word)
        } finally {
          tx.release()
        }
      }
      return { tx, commit: end('commit'), rollback: end('rollback') }
    },
  }
}
