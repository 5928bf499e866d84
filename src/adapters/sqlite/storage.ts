import { resolve } from 'node:path'
import type { Clock } from '../../core/clock.ts'
import { checkOptions, invalidOption } from '../../core/options.ts'
import { clock, durationMs, finite, oneOf, optional, whole } from '../../core/rules.ts'
import type { Storage } from '../../ports/storage.ts'
import { besideHandle, connectPath, ownSettings } from './connect.ts'
import { DRIVERS, type SqliteDriver } from './drivers.ts'
import { SqliteEventStore } from './events/store.ts'
import { SqliteJournal } from './journal.ts'
import { SqliteCheckpoints } from './kept/checkpoints.ts'
import { SqliteKeyValue } from './kept/key-value.ts'
import { SqliteLease } from './kept/lease.ts'
import { SqliteNotifier } from './kept/notifier.ts'
import { Session } from './session.ts'
import { isHandle, type SqliteHandle } from './slice.ts'

export interface SqliteStorageOptions {
  /** Only with a path. Default: the first one installed of `'libsql'`, `'better-sqlite3'`, `'node:sqlite'`. */
  readonly driver?: SqliteDriver
  /** `'full'` (default): a committed write survives a power cut. `'normal'`: it survives a crash of the process only, and costs no fsync. */
  readonly durability?: 'full' | 'normal'
  /** How long a call waits while others hold the database's lock, in milliseconds, 0 to 10 minutes; default 5,000. */
  readonly lockedMaxMs?: number
  /** Up to which size all pages are checked at opening, in bytes; default 64 MiB (a fraction of a second), 0 = never. */
  readonly checkedMaxBytes?: number
  /** How often writes of other processes are looked for, while somebody waits for some, in milliseconds, 1 to 60,000; default 100. */
  readonly pollMs?: number
  /** For how many days the idempotency keys of appends are kept, above 0 to 3,650; default 7. */
  readonly keysKeptDays?: number
  /** How many appends wait to be written at most, 1 to 1,000,000; default 10,000; more are refused with `QUEUE_FULL`. */
  readonly appendsQueued?: number
  /** What leases, keys and waiting are timed by. Default: the process's clock. */
  readonly clock?: Clock
}

const rules = {
  driver: optional(oneOf(DRIVERS, 'libsql')),
  durability: oneOf(['full', 'normal'], 'full'),
  lockedMaxMs: durationMs({ max: 600_000, default: 5_000 }),
  checkedMaxBytes: whole({ default: 64 * 1024 * 1024 }),
  pollMs: durationMs({ min: 1, max: 60_000, default: 100 }),
  keysKeptDays: finite({ min: Number.MIN_VALUE, max: 3_650, default: 7 }),
  appendsQueued: whole({ min: 1, max: 1_000_000, default: 10_000 }),
  clock,
}

/** A storage on one SQLite database, with every port that SQLite can carry. */
export interface SqliteStorage extends Storage {
  /**
   * Gives the log a new incarnation, and answers it: every reader, checkpoint and token of before is refused with `LOG_RESET`. For an
   * operator who has put an older copy of the file in place: positions that readers have seen are given once more then. The storage
   * cannot tell such a copy from the file it was made of.
   */
  renewIncarnation(signal?: AbortSignal): Promise<string>
}

/**
 * Keeps everything in one SQLite database: a file of its own, `':memory:'`, or the database that a handle of yours has open.
 *
 * Several processes of one host may use one file; whoever meets a lock waits without blocking the event loop. Any write transaction that
 * is open on the file, of whatever program, stalls every write here. Local disks only: SQLite's locks do not hold on network shares.
 *
 * @param database A path; a database that is missing is created, its folder is not. Or a handle of libsql, better-sqlite3 or
 * `DatabaseSync`: a second connection is opened beside it with the same driver, since a transaction that is open on the handle would hold
 * up everything, and the handle itself is never changed or closed. Only where there is nothing to open twice (`':memory:'`, a driver in
 * a wrapper, an encrypted file) does the handle itself serve, with the settings that it has; calls then wait while a transaction of yours
 * is open on it. The journal mode of a handle's database stays as it is; set `journal_mode = wal` for speed.
 * @param options
 * - `driver`: only with a path: `'libsql' | 'better-sqlite3' | 'node:sqlite'`; default: the first of them that can be loaded.
 * - `durability`: `'full'` (default): a committed write survives a power cut; `'normal'`: a crash of the process only.
 * - `lockedMaxMs`: how long a call waits for a lock that others hold, 0 to 600,000, default 5,000; then `STORAGE_LOCKED`.
 * - `checkedMaxBytes`: up to which size all pages are checked at opening, default 64 MiB, 0 = never. In a larger database a damaged page is
 *   found when it is read.
 * - `pollMs`: how often writes of other processes are looked for, while somebody waits for some, 1 to 60,000, default 100. This process's own
 *   are told at once. The timer lets the process end.
 * - `keysKeptDays`: for how long idempotency keys of appends are kept, above 0 to 3,650, default 7. Later appends with keys clear away twice as
 *   many as they bring.
 * - `appendsQueued`: how many requests wait to be written at most, 1 to 1,000,000, default 10,000, and with them 64 MiB of JSON; then `QUEUE_FULL`.
 * - `clock`: what leases, keys and waiting are timed by; default: the process's clock.
 *
 * Appends of one turn of the event loop travel in one transaction, with one fsync: at most 256 requests, 2,000 events or 4 MiB of JSON, one
 * request in any case. A request that the engine refuses is found by halving the batch; its neighbours are written. An I/O error of a commit is
 * settled by reading the log; the verdict is `unknown` only where that fails too. Reads take steps of 1,000 events, 4 MiB or 10,000 places
 * looked at (100,000 by tag), with a turn of the event loop between them; a batch ends with the step that reaches 16 MiB.
 *
 * `join(tx)` and `checkpoints.save(write, { tx })` take a handle on the same file inside a `BEGIN IMMEDIATE`; one on which SQLite has rolled
 * everything back (a full disk) says so. While it is open every append waits, up to its `timeoutMs`, then `none` with `STORAGE_LOCKED`;
 * `truncate`, `archive`, `tombstone` and all other writes wait up to `lockedMaxMs`.
 *
 * Times of leases and keys are the host's wall clock: only the token is safe, which is checked under the write lock. `watch` ends with
 * `QUEUE_FULL` when it has not been read for an hour, since gone keys are then no longer known. Copies of a file have one incarnation: after
 * putting an older one in place call `renewIncarnation()`. Removed events are out of sight at once and their rows are deleted; their
 * bytes stay in free pages until these are used again (`vacuum`, `pragma secure_delete`).
 *
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none), here. From `open`, all of effect none: `PACKAGE_MISSING` when no driver can be
 * loaded; `STORAGE_CORRUPT` when the file is no database, is damaged, has our tables' names without being ours, or was written by a newer
 * version (nothing is changed); `STORAGE_LOCKED` when others keep it locked; `STORAGE_UNAVAILABLE` when it cannot be opened or written (no
 * such folder, read-only, disk full). From calls: the last three and `NOT_STARTED`; of them only an I/O error at the commit has effect unknown.
 *
 * Stored, all tables STRICT, times REAL epoch milliseconds; opening migrates them (schema 2):
 * - `holdfast_meta`: `key`, `value`: `application` = `holdfast`, `schema` = 2, `incarnation` = 16 hexadecimal digits, made at random.
 * - `holdfast_saga`: one row per saga. `holdfast_saga_record`: one per record, `data` JSON text. `holdfast_lease`: one per shard: `owner`,
 *   `holder` = JSON `[host, boot, pid namespace, pid, start]`, `until_ms`, `lease_ms`, `epoch`.
 * - `holdfast_counter`: `name`, `value` INTEGER: the last `position` of the log, `revision` of a key, `revision_gone` that was cleared away,
 *   `token` of a name, number of a `hint`.
 * - `holdfast_stream`: `number`, `tenant`, `name`, `version`, `kept_from` (the first version not truncated), `state` (0 open, 1 archived,
 *   2 tombstoned), `to_purge` (1: rows are still to be deleted). `holdfast_event_type`: `number`, `name`.
 * - `holdfast_event`: `position` (rowid), `stream`, `version`, `type` (both numbers), `size` (characters of `data` and `metadata`), `recorded_ms`, `id`,
 *   `tags` (JSON list, empty text: none), `metadata`, `data` (JSON text). `holdfast_event_tag`: `tenant`, `tag`, `position`.
 * - `holdfast_append_key`: `number`, `tenant`, `key`, `hash` (of the request: 32 hexadecimal digits), `versions` (JSON list), `position`, `mark` (of a
 *   joined write's token), `recorded_ms`.
 * - `holdfast_key_value`: `number`, `key`, `value`, `revision`, `until_ms` (null: no end). `holdfast_key_gone`: `revision`, `key`, `gone_ms`; kept an hour.
 * - `holdfast_name` (leases by name): `name`, `owner`, `token`, `until_ms`. `holdfast_hint`: `topic`, `number`, `hinted_ms`; kept a day.
 * - `holdfast_checkpoint`: `name`, `position`, `incarnation`, `token`, `updated_ms`.
 *
 * A token of a receipt is `<incarnation>.<position>`, of a joined write also `.<mark>`: 16 characters of a hash of the event there.
 *
 * @example
 * ```ts
 * const hf = holdfast({ service: 'shop', storage: sqliteStorage('./holdfast.db'), sagas: [flow] })
 * ```
 */
export function sqliteStorage(database: string | SqliteHandle, options?: SqliteStorageOptions): SqliteStorage {
  const read = checkOptions('sqliteStorage', options, rules)
  const target = checkTarget(database, read.driver)
  const session = new Session({
    place: typeof target === 'string' ? target : 'the given SQLite handle',
    connector: typeof target === 'string' ? () => connectPath(target, read.driver) : async () => () => besideHandle(target),
    configure: ownSettings(read.durability, typeof target === 'string'),
    clock: read.clock,
    lockedMaxMs: read.lockedMaxMs,
    checkedMaxBytes: read.checkedMaxBytes,
    pollMs: read.pollMs,
  })
  const eventStore = new SqliteEventStore(session, read)
  return {
    engine: 'sqlite',
    ports: ['sagaJournal', 'eventStore', 'keyValue', 'lease', 'notifier', 'checkpoints'],
    sagaJournal: new SqliteJournal(session, read.clock),
    eventStore,
    keyValue: new SqliteKeyValue(session),
    lease: new SqliteLease(session),
    notifier: new SqliteNotifier(session, read.pollMs),
    checkpoints: new SqliteCheckpoints(session),
    renewIncarnation: (signal) => eventStore.renewIncarnation(signal),
    open: (signal) => session.open(signal),
    migrate: async () => {},
    health: () => session.health(),
    close: () => session.close(),
  }
}

/** A path is resolved now, so that a later change of the working directory moves nothing. */
function checkTarget(database: unknown, driver: SqliteDriver | undefined): string | SqliteHandle {
  const must = 'a path, or a handle of libsql, better-sqlite3 or node:sqlite'
  if (isHandle(database)) {
    if (driver !== undefined) throw invalidOption('sqliteStorage', 'driver', 'absent where a handle is given', driver)
    return database
  }
  if (typeof database !== 'string' || database === '' || database.includes('\0'))
    throw invalidOption('sqliteStorage', 'database', must, database)
  if (/^[a-z][a-z0-9+.-]+:/i.test(database)) throw invalidOption('sqliteStorage', 'database', `${must}, not a URL`, database)
  return database === ':memory:' ? database : resolve(database)
}
