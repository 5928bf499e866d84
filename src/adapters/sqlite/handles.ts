import { statSync } from 'node:fs'
import { type HoldfastError, refusal } from '../../core/errors.ts'
import { fileOf } from './connect.ts'
import { Connection, type Prepared } from './connection.ts'
import { isHandle, type SqliteHandle } from './slice.ts'

/** What the drivers say of a handle: better-sqlite3 and libsql the one, node:sqlite (from 22.16) the other. */
interface Flags {
  readonly inTransaction?: unknown
  readonly isTransaction?: unknown
}

/** Whether a transaction is open on a handle. */
export function isInTransaction(handle: SqliteHandle): boolean {
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

export const txNotOpen = (given: string): HoldfastError =>
  refusal(
    'TX_NOT_OPEN',
    `tx must be a handle of libsql, better-sqlite3 or node:sqlite with an open transaction on the storage's file, got ${given}`,
    {
      retry: 'never',
    },
  )

/** A handle of the user's inside a transaction of theirs. */
export interface Joined {
  readonly handle: SqliteHandle
  readonly connection: Connection
}

const connections = new WeakMap<SqliteHandle, Connection>()

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
  if (!own.isOf(tx) && !isSameFile(fileOf(connection), fileOf(own))) throw txNotOpen('one on another database')
  connections.set(tx, connection)
  return { handle: tx, connection }
}

function isSameFile(one: string, other: string): boolean {
  if (one === '' || other === '') return false
  if (one === other) return true
  const [a, b] = [one, other].map((path) => statSync(path, { bigint: true, throwIfNoEntry: false }))
  return a !== undefined && b !== undefined && a.ino === b.ino && a.dev === b.dev
}

/**
 * Runs work in a savepoint, so that what fails half-way leaves nothing in the transaction of the user's. Its first statement, `lock`, is a write:
 * a deferred transaction gets the write lock before anything is read, or is refused.
 */
export function inSavepoint<T>({ connection }: Joined, lock: Prepared, work: () => T): T {
  connection.exec('SAVEPOINT holdfast')
  try {
    lock.run()
    const value = work()
    connection.exec('RELEASE holdfast')
    return value
  } catch (error) {
    try {
      connection.exec('ROLLBACK TO holdfast; RELEASE holdfast')
    } catch {
      // The engine has rolled the whole transaction back, as it does when the disk is full.
    }
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
