import type { SqlRow, SqlRunner, SqlText } from '../../sql-shared/runner.ts'

/** A statement that is prepared once per connection where it has a name and preparing is allowed. */
export interface PgStatement {
  readonly name?: string
  readonly text: string
}

/** One connection, checked out. */
export interface PgConnection extends SqlRunner {
  query(statement: string | PgStatement, values: readonly SqlText[]): Promise<readonly SqlRow[]>
  /** Several statements in one message, without parameters and without an answer. */
  script(text: string): Promise<void>
  /** Gives it back to its pool; `broken`: closed instead, since nobody knows what state it is in. Once. */
  release(broken?: boolean): void
}

/** The user's pool, whatever driver it is of. Nothing global is ever set on it. */
export interface PgClient {
  readonly driver: 'pg' | 'postgres.js'
  connect(signal?: AbortSignal): Promise<PgConnection>
}
