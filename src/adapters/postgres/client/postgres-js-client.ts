import type { HoldfastError } from '../../../core/errors.ts'
import type { SqlRow, SqlText } from '../../sql-shared/runner.ts'
import { aborted } from '../../storage-shared/refusals.ts'
import { connectError, noConnection, statementError, stateOf } from '../errors.ts'
import type { CallOptions, PgClient, PgStatement } from './client.ts'
import { leaving } from './leaving.ts'
import { type Pending, type PostgresJs, type PostgresJsOptions, rawQuery, texts, type Unsafe } from './postgres-js-raw.ts'
import { postgresJsTransaction } from './postgres-js-transaction.ts'
import { Preparing } from './preparing.ts'

/**
 * `sql.reserve()` is not used: the driver hands the error that ended a connection to whoever is first on the next one, and a reservation that
 * is refused so takes a connection out of the pool for good. Nor is `cancel()`: of a query that waits for a connection which is being made it
 * leaves that connection behind in the same way.
 */
export function postgresJsClient(sql: PostgresJs, options: PostgresJsOptions): PgClient {
  const preparing = new Preparing(options.preparedStatements)
  const send = async (statement: PgStatement, values: readonly SqlText[], call: CallOptions): Promise<readonly SqlRow[]> => {
    if (call.signal?.aborted) throw aborted(call.call, call.signal)
    const args = [...values]
    const pending = rawQuery(sql.unsafe as Unsafe, statement, args, preparing.isOn)
    const rows = texts(pending)
      .catch((error: unknown) => {
        throw isUnsent(pending) ? connectError(error) : statementError(error, options.how)
      })
      .finally(() => preparing.heed((pending.retried as { readonly code?: unknown } | undefined)?.code))
    return await leaving(
      untilSent(rows, () => takenBack(pending, args), call, options),
      call,
      options,
    )
  }
  const query: PgClient['query'] = (statement, values, call) => pastStale(() => send(statement, values, call))
  const transaction: PgClient['transaction'] = (work, call) =>
    pastStale(() => postgresJsTransaction(sql, work, call, { ...options, preparing }))
  return { driver: 'postgres.js', query, transaction }
}

const isUnsent = ({ state }: Pending): boolean => state === null

/** Once more after the error that ended the connection's former life, which the driver gives to whoever comes first in its next one. */
async function pastStale<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!STALE.has(stateOf(error) ?? '') || (error as HoldfastError).effect !== 'none') throw error
    return await work()
  }
}

/** What ends a connection that was made. */
const STALE = new Set(['57P01', '57P02', '57P05', '25P03'])

/** Makes a query that still waits for its connection an empty one. False: it is on its way. */
function takenBack(pending: Pending, args: SqlText[]): boolean {
  const { strings } = pending
  if (!isUnsent(pending) || !Array.isArray(strings)) return false
  strings[0] = 'select'
  args.length = 0
  return true
}

/** Leaves, certain of nothing being done, when no connection came in time or the caller has gone before one did. */
function untilSent<T>(answer: Promise<T>, takeBack: () => boolean, { call, signal }: CallOptions, options: PostgresJsOptions): Promise<T> {
  const { connectMaxMs, clock } = options
  return new Promise<T>((resolve, reject) => {
    const leave = (why: unknown): void => {
      if (takeBack()) reject(why)
    }
    const onAbort = (): void => leave(aborted(call, signal as AbortSignal))
    const bound = clock.setTimer(() => leave(noConnection(connectMaxMs)), connectMaxMs)
    signal?.addEventListener('abort', onAbort, { once: true })
    answer.then(resolve, reject).finally(() => {
      bound.clear()
      signal?.removeEventListener('abort', onAbort)
    })
  })
}
