import type { Clock } from '../../../core/clock.ts'
import { HoldfastError } from '../../../core/errors.ts'
import { checkOptions, invalidOption } from '../../../core/options.ts'
import { clock, durationMs, oneOf } from '../../../core/rules.ts'
import type { Transactions } from '../../../ports/transactions.ts'
import { checkOut } from '../client/check-out.ts'
import { isPgPool } from '../client/detect.ts'
import type { PgPool, PgPoolClient } from '../client/pg-client.ts'
import { StandbyWait } from '../client/standby-wait.ts'
import { isFatal, notCommitted, standbyWaitCancelled, statementError } from '../errors.ts'

const ISOLATIONS = ['read committed', 'repeatable read', 'serializable'] as const

export interface TransactionOptions {
  /** Default `'read committed'`, whatever the connection's own default is. */
  readonly isolation?: (typeof ISOLATIONS)[number]
  /** How long to wait for a connection of the pool, in milliseconds, 1 to 10 minutes; default 10,000. */
  readonly connectMaxMs?: number
  /** What that waiting is timed by. Default: the process's clock. */
  readonly clock?: Clock
}

export const transactionRules = {
  isolation: oneOf(ISOLATIONS, 'read committed'),
  connectMaxMs: durationMs({ min: 1, max: 600_000, default: 10_000 }),
  clock,
}

/** What a pool of pg hands out: its `connect` is overloaded. */
type ClientOf<P> = P extends { connect: { (): Promise<infer C>; (...args: never[]): unknown } } ? C : never

/**
 * Transactions of a pool of pg, for what takes a `transaction`: BEGIN in READ COMMITTED unless told otherwise, COMMIT when the function
 * resolves, ROLLBACK when it rejects.
 *
 * When the signal aborts while the function runs, its connection is closed: whatever it sends later fails, instead of being written outside the
 * transaction. A transaction in which a statement has failed is rolled back by the server at COMMIT, which is told as an error with effect none.
 *
 * @param pool A `Pool` of pg (8). Never closed.
 * @param options `isolation`, `connectMaxMs` (1 to 600,000, default 10,000), `clock`.
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none). `run` rejects with `STORAGE_UNAVAILABLE` (effect none) where no transaction could be
 * begun, unknown where the answer to COMMIT was lost; with `ABORTED` (effect none); or with what the function rejected with.
 * @example
 * ```ts
 * const db = pgTransactions(pool)
 * await db.run(async (client) => {
 *   await client.query('update accounts set cents = cents - 500 where id = $1', [id])
 *   await storage.checkpoints.save(write, { tx: client })
 * })
 * ```
 */
export function pgTransactions<P extends PgPool>(pool: P, options?: TransactionOptions): Transactions<ClientOf<P>> {
  const { isolation, ...rest } = checkOptions('pgTransactions', options, transactionRules)
  if (!isPgPool(pool)) throw invalidOption('pgTransactions', 'pool', 'a Pool of pg', pool)
  return {
    engine: 'postgres',
    async run(fn, { signal } = {}) {
      const ask = async (): Promise<PgPoolClient> => (await pool.connect()) as PgPoolClient
      const client = await checkOut(ask, (late) => late.release(), { ...rest, signal })
      let isLost = false
      const lost = (): void => {
        isLost = true
      }
      // A connection that is lost between two statements would end the process without a listener.
      client.on('error', lost)
      const work = () => fn(client as ClientOf<P>)
      const { value, error, broken } = await transact(
        client,
        isolation,
        () => untilAborted(work, signal),
        () => isLost,
      )
      if (!broken) client.removeListener('error', lost)
      client.release(broken)
      if (error !== undefined) throw error.thrown
      return value as Awaited<ReturnType<typeof fn>>
    },
  }
}

interface Ended<T> {
  readonly value?: T
  readonly error?: { readonly thrown: unknown }
  /** Nobody knows what state the connection is in. */
  readonly broken: boolean
}

async function transact<T>(client: PgPoolClient, isolation: string, work: () => Promise<T>, isLost: () => boolean): Promise<Ended<T>> {
  const failed = (thrown: unknown, broken: boolean) => ({ error: { thrown }, broken })
  try {
    await client.query(`begin isolation level ${isolation}`)
  } catch (error) {
    const { message, details } = statementError(error, '') as HoldfastError
    return failed(new HoldfastError('STORAGE_UNAVAILABLE', message, { effect: 'none', retry: 'later', details, cause: error }), true)
  }
  let value: T
  try {
    value = await work()
  } catch (error) {
    if (error instanceof Aborted) return failed(error.told, true)
    const rolledBack = await client.query('rollback').then(
      () => true,
      () => false,
    )
    return failed(error, !rolledBack)
  }
  if (isLost()) return failed(lostBefore(), true)
  return await commit(client, value)
}

async function commit<T>(client: PgPoolClient, value: T): Promise<Ended<T>> {
  const standbyWait = new StandbyWait(client)
  try {
    const { command } = (await client.query('commit')) as { readonly command?: unknown }
    if (standbyWait.takeCancelled()) return { error: { thrown: standbyWaitCancelled() }, broken: false }
    if (command === 'COMMIT') return { value, broken: false }
    return { error: { thrown: notCommitted(command) }, broken: false }
  } catch (error) {
    return { error: { thrown: statementError(error, '') }, broken: isFatal(error) }
  } finally {
    standbyWait.stop()
  }
}

export const lostBefore = (): HoldfastError =>
  new HoldfastError('STORAGE_UNAVAILABLE', 'the connection was lost before the transaction was committed', {
    effect: 'none',
    retry: 'later',
  })

/** Apart from whatever the function may throw. */
export class Aborted {
  readonly told: HoldfastError

  constructor(signal: AbortSignal) {
    const message = 'the transaction was aborted and rolled back'
    this.told = new HoldfastError('ABORTED', message, { effect: 'none', retry: 'never', cause: signal.reason })
  }
}

/** Rejects with `Aborted` at once when the signal aborts, whatever the function does. */
export async function untilAborted<T>(fn: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await fn()
  if (signal.aborted) throw new Aborted(signal)
  let onAbort = (): void => {}
  const aborting = new Promise<never>((_, reject) => {
    onAbort = () => reject(new Aborted(signal))
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([fn(), aborting])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
