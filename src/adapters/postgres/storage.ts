import type { Clock } from '../../core/clock.ts'
import { checkOptions } from '../../core/options.ts'
import { any, clock, durationMs, finite, flag, optional } from '../../core/rules.ts'
import type { Storage } from '../../ports/storage.ts'
import { PgCheckpoints } from './checkpoints.ts'
import { clientOf, isPgPool } from './client/detect.ts'
import type { PgPool } from './client/pg-client.ts'
import type { PostgresJs } from './client/postgres-js-raw.ts'
import { PgEventStore, type PostgresEventStore } from './events/store.ts'
import { PgJournal } from './journal/journal.ts'
import { PgKeyValue } from './key-value/key-value.ts'
import { PgLease } from './lease.ts'
import { howToMigrate } from './migrations/how.ts'
import { type Migrated, migrate } from './migrations/migrate.ts'
import { namesOf } from './names.ts'
import type { Listen } from './notifier/listen-client.ts'
import { PgNotifier } from './notifier/notifier.ts'
import { type PlaceOptions, placeOf, placeRules } from './options.ts'
import { PgSession } from './session.ts'
import { healthOf, type PostgresStats, statsOf } from './stats.ts'

export interface PostgresStorageOptions extends PlaceOptions {
  /** Whether statements are prepared once per connection; default true. False behind a pooler in transaction mode (PgBouncer before 1.21); make an
   * `sql` of postgres.js with `prepare: false` there, or transactions of your own are lost. */
  readonly preparedStatements?: boolean
  /** How hints are pushed, not through a pooler: a function that makes a `Client` of pg, an `sql` of postgres.js, or a `Pool` of pg, of which
   * one connection is kept. Default: polling. */
  readonly listen?: Listen
  /** How often hints are looked for while somebody waits, where there is no `listen`; in milliseconds, 10 to 60,000; default 250. */
  readonly pollMs?: number
  /** How long a call waits for a connection of the pool, in milliseconds, 1 to 10 minutes; default 10,000. */
  readonly connectMaxMs?: number
  /** How long a call waits for an answer once it was sent, in milliseconds, 100 to 10 minutes; default 30,000. Its connection is closed then. */
  readonly answerMaxMs?: number
  /**
   * How long to go on asking what became of a batch whose connection was lost, before its answer is an error with effect unknown; in
   * milliseconds, 0 to 10 minutes; default 10,000.
   */
  readonly settleMaxMs?: number
  /** For how many days an idempotency key of `eventStore` repeats its answer, 0.01 to 3,650; default 7. */
  readonly keysKeptDays?: number
  /** What waiting is timed by; leases and expiry are the server's. Default: the process's clock. */
  readonly clock?: Clock
}

const rules = {
  ...placeRules,
  preparedStatements: flag(true),
  listen: optional(
    any<Listen>(
      'a function that makes a Client of pg, an sql of postgres.js or a Pool of pg',
      (value) => typeof value === 'function' || isPgPool(value),
      undefined as never,
    ),
  ),
  pollMs: durationMs({ min: 10, max: 60_000, default: 250 }),
  connectMaxMs: durationMs({ min: 1, max: 600_000, default: 10_000 }),
  answerMaxMs: durationMs({ min: 100, max: 600_000, default: 30_000 }),
  settleMaxMs: durationMs({ max: 600_000, default: 10_000 }),
  keysKeptDays: finite({ min: 0.01, max: 3_650, default: 7 }),
  clock,
}

/** A storage on PostgreSQL. */
export interface PostgresStorage extends Storage {
  readonly eventStore: PostgresEventStore
  /**
   * Creates or upgrades the tables, in one transaction: all of it or nothing. Any number of processes may do so at once: one works and resolves
   * with `{ from: 0, to: 4 }`, the others wait and find it done, `{ from: 4, to: 4 }`. No lock is waited for longer than 5 seconds at a time.
   *
   * @throws {HoldfastError} `STORAGE_CORRUPT` (effect none) where the tables are not ours or of a newer version; `STORAGE_LOCKED` (effect none) where
   * others are in the way for two minutes; `STORAGE_UNAVAILABLE` (effect none; unknown where the answer to the commit was lost).
   */
  migrate(): Promise<Migrated>
  /** Rejects with what `open` rejects with. */
  stats(): Promise<PostgresStats>
}

/**
 * Keeps everything in one PostgreSQL database (13 or later), through a pool of yours.
 *
 * Any number of processes may share it. What is appended at the same time in a process travels as one transaction. A batch whose connection
 * is lost is settled with the server before it is answered. "Durable" means what the primary's commit setting says. The pool is never closed
 * nor changed: no parser, no session setting; and no parser or search_path of yours takes part.
 *
 * `open` does not migrate: call `migrate()` once per deployment, from as many processes as you like, or apply the text of `migrationSql`.
 *
 * @param pool A `Pool` of pg (8), or the `sql` of postgres.js (3.4; without `transform.row`). One connection is enough; three or more let
 * batches, reads and leases pass each other. Give a pool of pg an `error` listener, as always, or an idle connection that is lost ends the process.
 * @param options
 * - `schema`: where the tables are, default `holdfast`. `prefix`: before their names, default none.
 * - `preparedStatements`: default true; false behind a pooler in transaction mode, where an `sql` of postgres.js needs `prepare: false`.
 * - `listen`: how hints are pushed to `notifier`, past any pooler: `() => new Client(…)`, an `sql` of postgres.js, or a `Pool`. Default: polling every
 *   `pollMs`, 10 to 60,000, default 250, while somebody waits.
 * - `connectMaxMs`: how long a call waits for a connection, 1 to 600,000, default 10,000; then `STORAGE_UNAVAILABLE` with effect none.
 * - `answerMaxMs`: how long a call waits for an answer, 100 to 600,000, default 30,000; then `STORAGE_UNAVAILABLE` with effect unknown (a read: none).
 * - `settleMaxMs`: how long what became of a lost batch is asked for, 0 to 600,000, default 10,000; then an error with effect unknown.
 * - `keysKeptDays`: for how many days an idempotency key of `eventStore` repeats its answer, default 7.
 * - `clock`: what waiting is timed by; leases and expiry are the server's clock.
 *
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none), here. From `open`, all of effect none: `NOT_MIGRATED` where tables are missing or
 * old; `STORAGE_CORRUPT` where they are not ours, are of a newer version, or the database is not UTF8; `STORAGE_UNAVAILABLE` where there is no connection to be had.
 * From calls: `STORAGE_UNAVAILABLE` (effect none where the server refused it, such as a full disk or a read-only server; unknown where the
 * answer was lost), `STORAGE_LOCKED` (effect none) after several attempts while others are in the way, `NOT_STARTED`.
 *
 * Stored: `meta` (`application` = `holdfast`, `schema` = 4), `saga` (a row per saga), `saga_record` (a row per record, `data` JSON text),
 * `saga_lease`, `saga_fence`, `batch` (verdicts of batches, a quarter of an hour), `key_value`, `lease`, `checkpoint`, `hint`; `event` (a row per event, `data` and `metadata`
 * JSON as it was written, `position` its place), `event_stream`, `event_pending` (joined, without a place yet), `event_archived`, `event_tag` and
 * `event_tagged`, `event_key`, `event_batch` (a day), `event_log` (the head and the incarnation). U+0000 in a
 * text is stored as U+0001 U+0001, U+0001 as U+0001 U+0002. Ids of sagas have at most 2,000 bytes.
 *
 * @example
 * ```ts
 * const storage = postgresStorage(new Pool({ max: 10 }))
 * await storage.migrate()
 * const hf = holdfast({ service: 'shop', storage, sagas: [flow] })
 * ```
 */
export function postgresStorage(pool: PgPool | PostgresJs, options?: PostgresStorageOptions): PostgresStorage {
  const read = checkOptions('postgresStorage', options, rules)
  const place = placeOf(read)
  const names = namesOf(place)
  const how = howToMigrate(place)
  const client = clientOf('postgresStorage', pool, { ...read, how })
  const session = new PgSession({ client, names, clock: read.clock, how })
  const notifier = new PgNotifier(session, read)
  const hints = read.listen === undefined ? undefined : notifier
  const ports = {
    sagaJournal: new PgJournal(session, read.settleMaxMs),
    eventStore: new PgEventStore(session, { keysKeptDays: read.keysKeptDays, hints }),
    keyValue: new PgKeyValue(session),
    lease: new PgLease(session),
    notifier,
    checkpoints: new PgCheckpoints(session),
  }
  return {
    engine: 'postgres',
    ports: Object.keys(ports),
    ...ports,
    open: async (signal) => {
      for (const port of Object.values(ports)) await port.open(signal)
    },
    migrate: () => migrate(client, names, read.clock),
    stats: () => statsOf(session),
    health: () => healthOf(session),
    close: async () => {
      for (const port of Object.values(ports)) await port.close()
      session.forget()
    },
  }
}
