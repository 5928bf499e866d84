import { checkOptions, invalidOption } from '../../core/options.ts'
import { durationMs } from '../../core/rules.ts'
import type { Transactions } from '../../ports/transactions.ts'
import { runTransaction } from '../transactions-shared/run-transaction.ts'

/** What is used of a Prisma client of PostgreSQL: `$transaction` with a function, called an interactive transaction there. */
export interface PrismaSlice<Tx> {
  $transaction<T>(
    fn: (tx: Tx) => Promise<T>,
    options?: { readonly isolationLevel?: 'ReadCommitted'; readonly timeout?: number; readonly maxWait?: number },
  ): Promise<T>
}

export interface PrismaTransactionsOptions {
  /** How long a transaction may last, in milliseconds, from 1; default 5,000, as Prisma's. Prisma rolls back what lasts longer. */
  readonly timeoutMs?: number
  /** How long it may wait for a connection, in milliseconds; default 2,000, as Prisma's. */
  readonly waitMs?: number
}

interface TxSlice {
  $queryRawUnsafe(query: string): Promise<unknown>
}

const rules = { timeoutMs: durationMs({ min: 1, default: 5_000 }), waitMs: durationMs({ min: 1, default: 2_000 }) }

/**
 * Interactive transactions of a Prisma client on PostgreSQL, for `transaction:` options and for work of one's own; `ctx.tx` is Prisma's client of
 * that transaction.
 *
 * They run at READ COMMITTED. A transaction that failed inside and whose error was swallowed is not committed as if nothing had been: it rejects.
 *
 * @param client A Prisma client, with a driver adapter (`@prisma/adapter-pg`) or with Prisma's own engine.
 * @param options `timeoutMs`: how long a transaction may last, default 5,000. `waitMs`: how long it may wait for a connection, default 2,000.
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none). From `run`, besides what the function throws: `STORAGE_UNAVAILABLE` (effect none: not
 * begun, or rolled back; unknown: the commit's answer was lost) · `ABORTED` (effect none).
 * @example
 * ```ts
 * const transactions = prismaTransactions(prisma)
 * await transactions.run(async (tx) => {
 *   await tx.order.create({ data: { id: '42' } })
 *   await storage.eventStore.join(tx).append(request)
 * })
 * ```
 */
export function prismaTransactions<Tx>(client: PrismaSlice<Tx>, options?: PrismaTransactionsOptions): Transactions<Tx> {
  if (typeof client !== 'object' || client === null || typeof client.$transaction !== 'function')
    throw invalidOption('prismaTransactions', 'client', 'a Prisma client (not the client of a transaction)', client)
  const { timeoutMs, waitMs } = checkOptions('prismaTransactions', options, rules)
  return {
    engine: 'postgres',
    run: (fn, given) =>
      runTransaction(fn, {
        owner: 'prismaTransactions',
        begin: (body) => client.$transaction(body, { isolationLevel: 'ReadCommitted', timeout: timeoutMs, maxWait: waitMs }),
        probe: (tx) => (tx as TxSlice).$queryRawUnsafe('select 1'),
        signal: given?.signal,
      }),
  }
}
