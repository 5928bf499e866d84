import type { SqlRow, SqlText } from '../../sql-shared/runner.ts'
import { closedBefore, connectError, isFatal, statementError, stateOf, wantsPreparing } from '../errors.ts'
import { checkOut } from './check-out.ts'
import type { CallOptions, PgConnection, PgStatement } from './client.ts'
import { certainlyNone, leaving } from './leaving.ts'
import { type PostgresJs, type PostgresJsOptions, rawQuery, texts, type Unsafe } from './postgres-js-raw.ts'
import { isSurprising, type Preparing } from './preparing.ts'
import { type CommitWatch, type Watched, watched } from './wires.ts'

/** What is used of the `sql` inside a transaction. */
interface Inner {
  readonly unsafe: Unsafe
}

type Begin = (options: string, fn: (inner: Inner) => Promise<unknown>) => Promise<unknown>

interface Options extends PostgresJsOptions {
  readonly preparing: Preparing
}

/** A transaction that waits for its end. */
interface Begun {
  readonly connection: InnerConnection
  /** Commits or, given an error, rolls back; resolves when the driver has. */
  end(error?: unknown): Promise<void>
}

/** By the driver's own `begin`, which reserves a connection. */
export async function postgresJsTransaction<T>(
  sql: PostgresJs,
  work: (connection: PgConnection) => Promise<T>,
  call: CallOptions,
  options: Options,
): Promise<T> {
  const once = async (prepares: boolean): Promise<T> => {
    const giveBack = (late: Begun): void => void late.end(new Error('too late')).catch(() => {})
    const begun = await checkOut(() => begin(sql, prepares, options), giveBack, { ...options, signal: call.signal })
    return await leaving(transact(begun, work), call, { ...options, abandon: () => begun.connection.terminate() })
  }
  try {
    return await once(options.preparing.isOn)
  } catch (error) {
    if (!wantsPreparing(error)) throw error
    options.preparing.heed(stateOf(error))
    return await once(options.preparing.isOn && !isSurprising(error))
  }
}

async function transact<T>(begun: Begun, work: (connection: PgConnection) => Promise<T>): Promise<T> {
  let value: T
  try {
    value = await work(begun.connection)
  } catch (error) {
    await begun.end(error).catch(() => {})
    throw certainlyNone(error)
  }
  await begun.end()
  return value
}

/** Resolves when the transaction has begun. */
function begin(sql: PostgresJs, prepares: boolean, options: Options): Promise<Begun> {
  return new Promise<Begun>((resolve, reject) => {
    const ended = (sql.begin as unknown as Begin)('isolation level read committed', (inner) => {
      const connection = new InnerConnection(inner, prepares, options.how)
      return new Promise<void>((commit, rollBack) => {
        const end = async (error?: unknown): Promise<void> => {
          const watch = error === undefined ? await connection.watchCommit() : undefined
          // The driver would send its COMMIT or ROLLBACK on a socket that is null, which ends the process; it has rejected already.
          if (connection.isClosed) {
            watch?.stop()
            connection.terminate()
            throw certainlyNone(closedBefore())
          }
          if (error === undefined) commit()
          else rollBack(error)
          await ended
            .catch((failure: unknown) => {
              throw statementError(failure, options.how)
            })
            .finally(() => watch?.stop())
          watch?.check()
        }
        resolve({ connection, end })
      })
    })
    ended.catch((error: unknown) => reject(connectError(error)))
  })
}

class InnerConnection implements PgConnection {
  readonly #inner: Inner
  readonly #prepares: boolean
  readonly #how: string
  readonly #wire: Watched
  #broken = false

  constructor(inner: Inner, prepares: boolean, how: string) {
    this.#inner = inner
    this.#prepares = prepares
    this.#how = how
    this.#wire = watched(inner)
  }

  get isClosed(): boolean {
    return this.#broken || this.#wire.isOver
  }

  /** Where it is open after all: nobody knows what state it is in. */
  terminate(): void {
    this.#wire.terminate()
  }

  watchCommit(): Promise<CommitWatch> {
    return this.#wire.watchCommit()
  }

  query(statement: string | PgStatement, values: readonly SqlText[]): Promise<readonly SqlRow[]> {
    return this.#send(() => texts(rawQuery(this.#inner.unsafe, statement, [...values], this.#prepares)))
  }

  async script(text: string): Promise<void> {
    await this.#send(() => this.#inner.unsafe(text, [], { simple: true }))
  }

  async #send<T>(send: () => PromiseLike<T>): Promise<T> {
    if (this.isClosed) throw closedBefore()
    try {
      return await send()
    } catch (error) {
      if (isFatal(error)) this.#broken = true
      throw statementError(error, this.#how)
    }
  }
}
