import { invalidOption } from '../../core/options.ts'
import type { Transactions } from '../../ports/transactions.ts'
import { runTransaction } from '../transactions-shared/run-transaction.ts'

interface BuilderSlice<Tx> {
  setIsolationLevel(level: 'read committed'): BuilderSlice<Tx>
  execute<T>(fn: (tx: Tx) => Promise<T>): Promise<T>
}

/** What an adapter says of its engine. */
interface AdapterSlice {
  readonly supportsTransactionalDdl: boolean
  readonly supportsReturning: boolean
}

/** By what it can do, as of Kysely's four dialects only PostgreSQL's can: a bundler that shortens names leaves nothing else to tell it by. */
const isPostgres = ({ supportsTransactionalDdl, supportsReturning }: AdapterSlice): boolean => supportsTransactionalDdl && supportsReturning

/** What is used of a Kysely database of PostgreSQL. */
export interface KyselySlice<Tx> {
  transaction(): BuilderSlice<Tx>
  readonly isTransaction: boolean
  getExecutor(): { readonly adapter: AdapterSlice }
}

/** What is used of the transaction itself: a statement as Kysely compiles one. */
interface TxSlice {
  executeQuery(query: object): Promise<unknown>
}

const probe = {
  sql: 'select 1',
  parameters: [],
  query: { kind: 'RawNode', sqlFragments: ['select 1'], parameters: [] },
  queryId: { queryId: 'holdfast' },
}

/**
 * Transactions of a Kysely database on PostgreSQL, for `transaction:` options and for work of one's own; `ctx.tx` is Kysely's transaction.
 *
 * They run at READ COMMITTED. A transaction that failed inside and whose error was swallowed is not committed as if nothing had been: it rejects
 * with the engine's error (25P02).
 *
 * @param db A Kysely of the PostgreSQL dialect. That of SQLite begins deferred transactions, which cannot be joined: there, `sqliteTransactions`
 * takes the handle below.
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none) for what is no such database. From `run`, besides what the function throws:
 * `STORAGE_UNAVAILABLE` (effect none: not begun, or rolled back; unknown: the commit's answer was lost) · `ABORTED` (effect none).
 * @example
 * ```ts
 * const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
 * const transactions = kyselyTransactions(db)
 * await transactions.run(async (tx) => {
 *   await tx.insertInto('orders').values({ id: '42' }).execute()
 *   await storage.eventStore.join(tx).append(request)
 * })
 * ```
 */
export function kyselyTransactions<Tx>(db: KyselySlice<Tx>): Transactions<Tx> {
  const fits = typeof db === 'object' && db !== null && typeof db.transaction === 'function' && typeof db.getExecutor === 'function'
  if (!fits || db.isTransaction || !isPostgres(db.getExecutor().adapter))
    throw invalidOption('kyselyTransactions', 'db', 'a Kysely of PostgreSQL, not a transaction', fits ? db.getExecutor().adapter : db)
  return {
    engine: 'postgres',
    run: (fn, options) =>
      runTransaction(fn, {
        owner: 'kyselyTransactions',
        begin: (body) => db.transaction().setIsolationLevel('read committed').execute(body),
        probe: (tx) => (tx as TxSlice).executeQuery(probe),
        signal: options?.signal,
      }),
  }
}
