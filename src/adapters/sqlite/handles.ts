import { statSync } from 'node:fs'
import { type HoldfastError, refusal } from '../../core/errors.ts'
import { fileOf } from './connect.ts'
import { Connection } from './connection.ts'
import { unavailable } from './errors.ts'
import { isHandle, type SqliteHandle } from './slice.ts'

/** What the drivers say of a handle: better-sqlite3 and libsql the one, node:sqlite (from 22.16) the other. */
interface Flags {
  readonly inTransaction?: unknown
  readonly isTransaction?: unknown
  /** Of libsql and better-sqlite3. */
  readonly open?: unknown
}

/** Whether a transaction is open on a handle. */
export function isInTransaction(handle: SqliteHandle): boolean {
  // Asked for its transaction, a closed handle of libsql ends the process.
  if ((handle as Flags).open === false) throw new Error('it is closed')
  const { inTransaction, isTransaction } = handle as Flags
  if (typeof inTransaction === 'boolean') return inTransaction
  if (typeof isTransaction === 'boolean') return isTransaction
  try {
    handle.exec('BEGIN')
  } catch (error) {
    if (/within a transaction/.test(String((error as Error).message))) return true
    throw error
  }
  handle.exec('ROLLBACK')
  return false
}

const txNotOpen = (given: string): HoldfastError =>
  refusal(
    'TX_NOT_OPEN',
    `tx must be a handle of libsql, better-sqlite3 or node:sqlite with an open transaction on the storage's file, got ${given}`,
    { retry: 'never' },
  )

/** A handle of the user's inside a transaction of theirs. */
export interface Joined {
  readonly handle: SqliteHandle
  readonly connection: Connection
}

const connections = new WeakMap<SqliteHandle, Connection>()
const files = new WeakMap<Connection, string>()

function fileBehind(connection: Connection): string {
  const file = files.get(connection) ?? fileOf(connection)
  files.set(connection, file)
  return file
}

/**
 * @throws {HoldfastError} `TX_NOT_OPEN` (effect none) for anything but a handle on the same file with an open transaction.
 */
export function joinedBy(tx: unknown, own: Connection): Joined {
  if (!isHandle(tx)) throw txNotOpen('no handle')
  const connection = connections.get(tx) ?? new Connection(tx, own.place)
  let inside: boolean
  try {
    inside = isInTransaction(tx)
  } catch (error) {
    throw txNotOpen(`one that cannot be used: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (!inside) throw txNotOpen('one without an open transaction')
  if (!own.isOf(tx) && !isSameFile(fileBehind(connection), fileBehind(own))) throw txNotOpen('one on another database')
  connections.set(tx, connection)
  return { handle: tx, connection }
}

function isSameFile(one: string, other: string): boolean {
  if (one === '' || other === '') return false
  if (one === other) return true
  const [a, b] = [one, other].map((path) => statSync(path, { bigint: true, throwIfNoEntry: false }))
  return a !== undefined && b !== undefined && a.ino === b.ino && a.dev === b.dev
}

const LOCK = "update holdfast_counter set value = value where name = 'position'"

/**
 * Runs work in a savepoint, so that what fails half-way leaves nothing in the transaction of the user's. Its first statement is a write:
 * a deferred transaction gets the write lock before anything is read, or is refused.
 */
export function inSavepoint<T>({ handle, connection }: Joined, work: () => T): T {
  connection.exec('SAVEPOINT holdfast')
  try {
    // Executed, not prepared: a prepared statement of libsql that was refused the lock counts as running, and nothing can be committed then.
    connection.exec(LOCK)
    const value = work()
    connection.exec('RELEASE holdfast')
    return value
  } catch (error) {
    if (isInTransaction(handle)) connection.exec('ROLLBACK TO holdfast; RELEASE holdfast')
    // A full disk does that; whoever goes on would commit each statement alone.
    else throw unavailable(connection.place, `${String(error)}; SQLite has rolled the whole transaction back`, { cause: error })
    throw error
  }
}

const listeners = new WeakMap<SqliteHandle, Set<() => void>>()

/** Calls once when a transaction that `sqliteTransactions` has open on the handle is committed; other transactions are found by looking. */
export function onCommit(handle: SqliteHandle, committed: () => void): void {
  const all = listeners.get(handle) ?? new Set()
  listeners.set(handle, all.add(committed))
}

export function tellCommitted(handle: SqliteHandle): void {
  const all = listeners.get(handle)
  listeners.delete(handle)
  for (const committed of all ?? []) committed()
}
