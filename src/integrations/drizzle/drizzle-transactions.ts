import { invalidOption } from '../../core/options.ts'
import type { Transactions } from '../../ports/transactions.ts'
import { runTransaction } from '../transactions-shared/run-transaction.ts'

/** What is used of a Drizzle database of PostgreSQL (`drizzle-orm/node-postgres`, `drizzle-orm/postgres-js`). */
export interface DrizzleSlice<Tx> {
  transaction<T>(fn: (tx: Tx) => Promise<T>, config?: { readonly isolationLevel?: 'read committed' }): Promise<T>
}

/** What is used of the transaction itself. */
interface TxSlice {
  execute(query: string): Promise<unknown>
}

/**
 * Transactions of a Drizzle database on PostgreSQL, for `transaction:` options and for work of one's own; `ctx.tx` is Drizzle's transaction.
 *
 * They run at READ COMMITTED. A transaction that failed inside and whose error was swallowed is not committed as if nothing had been: it rejects
 * with the engine's error (25P02).
 *
 * @param db A database of `drizzle-orm/node-postgres` or `drizzle-orm/postgres-js`. Those of SQLite run their callbacks synchronously and cannot
 * wait: there, `sqliteTransactions` takes the handle below.
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none) for what is no such database. From `run`, besides what the function throws:
 * `STORAGE_UNAVAILABLE` (effect none: not begun, or rolled back; unknown: the commit's answer was lost) · `ABORTED` (effect none).
 * @example
 * ```ts
 * const db = drizzle(pool)
 * const transactions = drizzleTransactions(db)
 * await transactions.run(async (tx) => {
 *   await tx.insert(orders).values({ id: '42' })
 *   await storage.eventStore.join(tx).append(request)
 * })
 * ```
 */
export function drizzleTransactions<Tx>(db: DrizzleSlice<Tx>): Transactions<Tx> {
  const kind = kindOf(db)
  if (typeof db !== 'object' || db === null || typeof db.transaction !== 'function' || (kind !== undefined && !kind.includes('Pg')))
    throw invalidOption('drizzleTransactions', 'db', 'a Drizzle database of PostgreSQL', kind ?? db)
  return {
    engine: 'postgres',
    run: (fn, options) =>
      runTransaction(fn, {
        owner: 'drizzleTransactions',
        begin: (body) => db.transaction(body, { isolationLevel: 'read committed' }),
        probe: (tx) => (tx as TxSlice).execute('select 1'),
        signal: options?.signal,
      }),
  }
}

/** Drizzle marks its classes: `PgDatabase`, `NodePgDatabase`, `BetterSQLite3Database`, … */
function kindOf(db: unknown): string | undefined {
  const kind = (db as { constructor?: Record<symbol, unknown> } | null)?.constructor?.[Symbol.for('drizzle:entityKind')]
  if (typeof kind !== 'string') return undefined
  return kind === 'PostgresJsDatabase' ? 'PgDatabase' : kind
}
