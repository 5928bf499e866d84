import { AsyncLocalStorage } from 'node:async_hooks'
import type { Clock } from '../../core/clock.ts'
import { HoldfastError } from '../../core/errors.ts'
import { checkOptions, invalidOption } from '../../core/options.ts'
import { clock, durationMs, whole } from '../../core/rules.ts'
import type { Transactions } from '../../ports/transactions.ts'
import { aborted } from '../storage-shared/refusals.ts'
import { isLocked, locked, storageError, unavailable } from './errors.ts'
import { isInTransaction, tellCommitted } from './handles.ts'
import { Lane } from './lane.ts'
import { isHandle, type SqliteHandle } from './slice.ts'
import { Turns } from './turns.ts'

export interface SqliteTransactionsOptions {
  /** How many runs wait for their turn at most, 0 to 100,000; default 1,000; more are refused. */
  readonly queued?: number
  /** How long a run waits while others hold the database's lock, in milliseconds, 0 to 10 minutes; default 5,000. */
  readonly lockedMaxMs?: number
  /** What waiting is timed by. Default: the process's clock. */
  readonly clock?: Clock
}

const rules = {
  queued: whole({ max: 100_000, default: 1_000 }),
  lockedMaxMs: durationMs({ max: 600_000, default: 5_000 }),
  clock,
}

const PLACE = 'the given SQLite handle'

/** A run that is under way somewhere up the asynchronous path. */
interface Under {
  readonly handle: SqliteHandle
  isOver: boolean
  readonly outer: Under | undefined
}

const under = new AsyncLocalStorage<Under>()
/** One row of turns for a handle, whoever made transactions of it. */
const rows = new WeakMap<SqliteHandle, Turns>()

/**
 * Opens transactions on a handle of yours, for code whose own rows and ours are to commit together.
 *
 * Each is a `BEGIN IMMEDIATE`. A handle has one transaction at a time, so runs wait for one another, in the order of their arrival; whatever
 * else is executed on the handle meanwhile is part of the transaction that is open. While it is open nobody else can write to the file,
 * this storage included: keep it short, and wait for nothing in it that itself writes there.
 *
 * `fn` is always waited for: after an abort of the signal, too, since statements that it still had to come would each commit on their own.
 *
 * @param handle of libsql, better-sqlite3 or `DatabaseSync`. Its settings are left as they are.
 * @param options
 * - `queued`: how many runs wait for their turn at most, 0 to 100,000, default 1,000.
 * - `lockedMaxMs`: how long a run waits for a lock that others hold, without blocking the event loop, 0 to 600,000, default 5,000.
 * - `clock`: what waiting is timed by; default the process's clock.
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none), here. From `run`, with effect none: `QUEUE_FULL`; `ABORTED`; `STORAGE_LOCKED` when others hold
 * the lock, or a transaction of yours is open on the handle; `STORAGE_UNAVAILABLE`; `INVALID_INPUT` for a run inside a run on the same handle,
 * which would wait for itself. With effect unknown: `STORAGE_UNAVAILABLE` for an I/O error at the commit, or when `fn` has ended
 * the transaction by itself. And whatever `fn` throws.
 * @example
 * ```ts
 * const db = sqliteTransactions(handle)
 * await db.run(async (tx) => {
 *   tx.prepare('update stock set n = n - 1 where sku = ?').run(sku)
 *   await storage.eventStore.join(tx).append({ writes: [{ stream: sku, expect: 'any', events: [taken] }] })
 * })
 * ```
 */
export function sqliteTransactions<Handle extends SqliteHandle>(handle: Handle, options?: SqliteTransactionsOptions): Transactions<Handle> {
  if (!isHandle(handle)) throw invalidOption('sqliteTransactions', 'handle', 'a handle of libsql, better-sqlite3 or node:sqlite', handle)
  const read = checkOptions('sqliteTransactions', options, rules)
  const lane = new Lane(read.clock, PLACE, read.lockedMaxMs)
  return {
    engine: 'sqlite',
    run: async (fn, { signal } = {}) => {
      if (signal?.aborted === true) throw aborted('run', signal)
      refuseNested(handle)
      const turns = rows.get(handle) ?? new Turns()
      rows.set(handle, turns)
      const leave = await turns.enter(read.queued, signal)
      try {
        return await inTransaction(handle, lane, fn, signal)
      } finally {
        leave()
      }
    },
  }
}

function refuseNested(handle: SqliteHandle): void {
  for (let outer = under.getStore(); outer !== undefined; outer = outer.outer) {
    if (outer.handle !== handle || outer.isOver) continue
    throw new HoldfastError(
      'INVALID_INPUT',
      'run inside run on the same handle: SQLite has one transaction at a time on it; hand the outer one on instead',
      { effect: 'none', retry: 'never' },
    )
  }
}

async function inTransaction<Handle extends SqliteHandle, T>(
  handle: Handle,
  lane: Lane,
  fn: (tx: Handle) => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  await lane.run('run', () => atOnce(handle, 'BEGIN IMMEDIATE'), signal)
  const here: Under = { handle, isOver: false, outer: under.getStore() }
  let value: T
  try {
    value = await under.run(here, async () => await fn(handle))
    if (signal?.aborted === true) throw aborted('run', signal)
  } catch (error) {
    here.isOver = true
    rollback(handle)
    throw error
  }
  here.isOver = true
  await commit(handle, lane)
  tellCommitted(handle)
  return value
}

/** Without the driver's own waiting for a lock, which would block the event loop, and with it whoever holds the lock in this process. */
function atOnce(handle: SqliteHandle, sql: string, duringCommit = false): void {
  try {
    const timeout = Number((handle.prepare('pragma busy_timeout').get() as { readonly timeout?: unknown }).timeout)
    handle.exec('pragma busy_timeout = 0')
    try {
      handle.exec(sql)
    } finally {
      handle.exec(`pragma busy_timeout = ${timeout}`)
    }
  } catch (error) {
    throw storageError(error, PLACE, duringCommit)
  }
}

async function commit(handle: SqliteHandle, lane: Lane): Promise<void> {
  if (!isStillOpen(handle))
    throw unavailable(PLACE, 'the transaction was ended inside run: what it did before is committed or gone', {
      effect: 'unknown',
      retry: 'never',
    })
  try {
    // Without a write-ahead log a commit waits for those who read.
    await lane.run('run', () => atOnce(handle, 'COMMIT', true))
  } catch (error) {
    rollback(handle)
    throw isLocked(error) ? locked(PLACE, 'others were reading at the commit, which was rolled back', error) : error
  }
}

function isStillOpen(handle: SqliteHandle): boolean {
  try {
    return isInTransaction(handle)
  } catch {
    // It was closed inside.
    return false
  }
}

function rollback(handle: SqliteHandle): void {
  try {
    handle.exec('ROLLBACK')
  } catch {
    // It has ended already: by the engine (a full disk), or by its owner.
  }
}
