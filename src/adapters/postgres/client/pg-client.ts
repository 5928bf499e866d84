import type { Clock } from '../../../core/clock.ts'
import { HoldfastError } from '../../../core/errors.ts'
import type { SqlRow, SqlText } from '../../sql-shared/runner.ts'
import { isFatal, standbyWaitCancelled, statementError, stateOf, wantsPreparing } from '../errors.ts'
import { checkOut } from './check-out.ts'
import type { CallOptions, PgClient, PgClientOptions, PgConnection, PgStatement } from './client.ts'
import { certainlyNone, leaving } from './leaving.ts'
import { isSurprising, Preparing } from './preparing.ts'
import { StandbyWait } from './standby-wait.ts'

/** What is used of a client of `pg` that was checked out. */
export interface PgPoolClient {
  query(config: unknown): Promise<unknown>
  release(destroy?: boolean): void
  on(event: 'error' | 'notice', listener: (told: unknown) => void): unknown
  removeListener(event: 'error' | 'notice', listener: (told: unknown) => void): unknown
  /** Since pg 8.17: `'I'`, `'T'` or `'E'`. */
  getTransactionStatus?(): unknown
}

/** What is used of a `Pool` of `pg`; `guardPool`'s view of one is one. */
export interface PgPool {
  connect(): Promise<unknown>
  query(...args: never[]): unknown
  readonly totalCount: number
}

/** Raw text, whatever parsers the user has set, and also where the client is told to ask for binary columns. */
const asText = { getTypeParser: () => (value: unknown) => (Buffer.isBuffer(value) ? value.toString('utf8') : value) }

export function pgClient(pool: PgPool, options: PgClientOptions & { readonly clock: Clock }): PgClient {
  const preparing = new Preparing(options.preparedStatements)
  const checkedOut = async <T>(work: (connection: Connection) => Promise<T>, call: CallOptions): Promise<T> => {
    const ask = async (): Promise<PgPoolClient> => (await pool.connect()) as PgPoolClient
    const client = await checkOut(ask, (late) => late.release(), { ...options, signal: call.signal })
    const connection = new Connection(client, preparing, options.how)
    return await leaving(
      twice(connection, () => work(connection)).finally(() => connection.release()),
      call,
      { ...options, abandon: () => connection.abandon() },
    )
  }
  return {
    driver: 'pg',
    query: (statement, values, call) => checkedOut((connection) => connection.query(statement, values), call),
    transaction: (work, call) => checkedOut((connection) => transact(connection, work), call),
  }
}

/** Once more where the server wants a statement prepared again: all that came before is rolled back. */
async function twice<T>(connection: Connection, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!wantsPreparing(error)) throw error
    connection.isPlain = isSurprising(error)
    return await work()
  }
}

async function transact<T>(connection: Connection, work: (connection: PgConnection) => Promise<T>): Promise<T> {
  let value: T
  try {
    await connection.script('begin isolation level read committed')
    value = await work(connection)
  } catch (error) {
    // Where this fails too the connection is gone, and the transaction with it.
    await connection.script('rollback').catch(() => {})
    throw certainlyNone(error)
  }
  await connection.script('commit')
  return value
}

/** Statements are prepared under their name and a number, which changes when the server wants them prepared anew. */
const rounds = new WeakMap<object, number>()

class Connection implements PgConnection {
  /** Nothing is prepared, so that nothing can be missing. */
  isPlain = false
  readonly #client: PgPoolClient
  readonly #preparing: Preparing
  readonly #how: string
  readonly #standbyWait: StandbyWait
  #broken = false
  #isReleased = false
  // Without a listener of the holder's, a connection that is lost while it is checked out would end the process.
  readonly #lost = (): void => {
    this.#broken = true
  }

  constructor(client: PgPoolClient, preparing: Preparing, how: string) {
    this.#client = client
    this.#preparing = preparing
    this.#how = how
    this.#standbyWait = new StandbyWait(client)
    client.on('error', this.#lost)
  }

  async query(statement: string | PgStatement, values: readonly SqlText[]): Promise<readonly SqlRow[]> {
    const { text, name } = typeof statement === 'string' ? { text: statement, name: undefined } : statement
    const prepares = this.#preparing.isOn && !this.isPlain
    const named = prepares && name !== undefined ? { name: `${name}_${rounds.get(this.#client) ?? 0}` } : {}
    const result = (await this.#send({ text, values, rowMode: 'array', types: asText, ...named })) as { readonly rows: readonly SqlRow[] }
    return result.rows
  }

  async script(text: string): Promise<void> {
    await this.#send({ text, types: asText })
  }

  async #send(config: unknown): Promise<unknown> {
    try {
      const result = await this.#client.query(config)
      if (this.#standbyWait.takeCancelled()) throw standbyWaitCancelled()
      return result
    } catch (error) {
      if (error instanceof HoldfastError) throw error
      if (isFatal(error)) this.#broken = true
      const ours = statementError(error, this.#how)
      this.#preparing.heed(stateOf(ours))
      if (wantsPreparing(ours)) rounds.set(this.#client, (rounds.get(this.#client) ?? 0) + 1)
      throw ours
    }
  }

  /** Its answer is waited for no more: closed, so that the pool does not wait for it either. */
  abandon(): void {
    this.#broken = true
    this.release()
  }

  release(): void {
    if (this.#isReleased) return
    this.#isReleased = true
    this.#standbyWait.stop()
    const status = this.#client.getTransactionStatus?.()
    const destroy = this.#broken || status === 'T' || status === 'E'
    // A client that is thrown away may still report that its socket was reset.
    if (!destroy) this.#client.removeListener('error', this.#lost)
    this.#client.release(destroy)
  }
}
