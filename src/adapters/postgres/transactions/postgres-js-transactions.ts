import { checkOptions, invalidOption } from '../../../core/options.ts'
import type { Transactions } from '../../../ports/transactions.ts'
import { checkOut } from '../client/check-out.ts'
import { isPostgresJs } from '../client/detect.ts'
import type { PostgresJs, Unsafe } from '../client/postgres-js-raw.ts'
import { watched } from '../client/wires.ts'
import { connectError, statementError } from '../errors.ts'
import { Aborted, lostBefore, type TransactionOptions, transactionRules, untilAborted } from './pg-transactions.ts'

/** What `sql.begin` hands its function. */
type InnerOf<S> = S extends { begin: { (fn: (inner: infer I) => never): unknown; (...args: never[]): unknown } } ? I : never

interface Begun {
  readonly inner: { readonly unsafe: Unsafe }
  /** Has the driver send COMMIT, or ROLLBACK where an error is given; resolves when it has. */
  readonly end: (error?: { readonly thrown: unknown }) => Promise<void>
}

type Begin = (options: string, fn: (inner: Begun['inner']) => Promise<void>) => Promise<unknown>

/**
 * Transactions of postgres.js, for what takes a `transaction`: by `sql.begin`, in READ COMMITTED unless told otherwise.
 *
 * When the signal aborts while the function runs, its connection is closed: whatever it sends later fails, instead of being written outside the
 * transaction. As always with `sql.begin`, a statement that failed rolls all of it back, also where its error was caught.
 *
 * @param sql The `sql` of postgres.js (3.4). Never closed.
 * @param options `isolation`, `connectMaxMs` (1 to 600,000, default 10,000), `clock`.
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none). `run` rejects with `STORAGE_UNAVAILABLE` (effect none) where no transaction could be
 * begun, unknown where the answer to COMMIT was lost; with `ABORTED` (effect none); or with what the function rejected with.
 * @example
 * ```ts
 * const db = postgresJsTransactions(sql)
 * await db.run(async (tx) => {
 *   await tx`update accounts set cents = cents - 500 where id = ${id}`
 *   await storage.checkpoints.save(write, { tx })
 * })
 * ```
 */
export function postgresJsTransactions<S extends PostgresJs>(sql: S, options?: TransactionOptions): Transactions<InnerOf<S>> {
  const { isolation, ...rest } = checkOptions('postgresJsTransactions', options, transactionRules)
  if (!isPostgresJs(sql)) throw invalidOption('postgresJsTransactions', 'sql', 'the sql of postgres (postgres.js)', sql)
  return {
    engine: 'postgres',
    async run(fn, { signal } = {}) {
      const giveBack = (late: Begun): void => void late.end({ thrown: new Error('too late') }).catch(() => {})
      const { inner, end } = await checkOut(() => begin(sql, isolation), giveBack, { ...rest, signal })
      const wire = watched(inner)
      let value: Awaited<ReturnType<typeof fn>>
      try {
        value = (await untilAborted(() => fn(inner as InnerOf<S>), signal)) as typeof value
      } catch (error) {
        if (error instanceof Aborted) {
          wire.terminate()
          throw error.told
        }
        // Of a connection that is closed the driver must not be told: it would write to a socket that is null, which ends the process.
        if (!wire.isOver) await end({ thrown: error }).catch(() => {})
        throw error
      }
      const commit = await wire.watchCommit()
      try {
        if (wire.isOver) throw lostBefore()
        await end().catch((error: unknown) => {
          throw statementError(error, '')
        })
        commit.check()
      } finally {
        commit.stop()
      }
      return value
    },
  }
}

function begin(sql: PostgresJs, isolation: string): Promise<Begun> {
  return new Promise<Begun>((resolve, reject) => {
    const ended = (sql.begin as unknown as Begin)(`isolation level ${isolation}`, (inner) => {
      return new Promise<void>((commit, rollBack) => {
        const end: Begun['end'] = async (error) => {
          if (error === undefined) commit()
          else rollBack(error.thrown)
          await ended
        }
        resolve({ inner, end })
      })
    })
    ended.catch((error: unknown) => reject(connectError(error)))
  })
}
