import type { SqlRow, SqlRunner, SqlText } from '../../sql-shared/runner.ts'

/** A statement that is prepared once per connection where it has a name and preparing is allowed. Another text has another name. */
export interface PgStatement {
  readonly name?: string
  readonly text: string
}

export interface CallOptions {
  /** What is asked for, as errors name it. */
  readonly call: string
  /** False: it only reads, so whatever happens to it has effect none. */
  readonly writes: boolean
  readonly signal?: AbortSignal | undefined
  /** What may take as long as it likes: a migration. */
  readonly unbounded?: boolean
}

/** A connection inside a transaction of ours. */
export interface PgConnection extends SqlRunner {
  query(statement: string | PgStatement, values: readonly SqlText[]): Promise<readonly SqlRow[]>
  /** Several statements in one message, without parameters and without an answer. */
  script(text: string): Promise<void>
}

/**
 * The user's pool, whatever driver it is of. Nothing global is ever set on it, and it is never closed. Everything rejects with a
 * `HoldfastError` made by `errors.ts`: effect none where the server said ERROR or nothing was sent, unknown where the answer was lost.
 *
 * A connection is waited for at most `connectMaxMs`, an answer at most `answerMaxMs`. An abort leaves at once: effect none while nothing was sent, else unknown for what
 * writes, and the connection goes back when the server has answered.
 */
export interface PgClient {
  readonly driver: 'pg' | 'postgres.js'
  /** One statement that is a transaction of its own, in one round trip. */
  query(statement: PgStatement, values: readonly SqlText[], options: CallOptions): Promise<readonly SqlRow[]>
  /**
   * Several statements in one transaction, READ COMMITTED whatever the connection's default is; committed when `work` resolves. `work` may be
   * called a second time, after all of the first was rolled back. What it rejects with that is no error of PostgreSQL is passed on.
   */
  transaction<T>(work: (connection: PgConnection) => Promise<T>, options: CallOptions): Promise<T>
}

export interface PgClientOptions {
  /** False behind a pooler that hands each transaction another connection. */
  readonly preparedStatements: boolean
  /** How long to wait for a connection, in milliseconds. */
  readonly connectMaxMs: number
  /** How long to wait for an answer, in milliseconds. */
  readonly answerMaxMs: number
  /** Which call or command creates missing tables. */
  readonly how: string
}
