/** What is used of a prepared statement of libsql, better-sqlite3 or node:sqlite. */
export interface SqliteStatement {
  run(...values: (string | number | null)[]): unknown
  get(...values: (string | number | null)[]): unknown
  all(...values: (string | number | null)[]): unknown[]
}

/** What is used of a database handle of libsql, better-sqlite3 or node:sqlite (`DatabaseSync`). */
export interface SqliteHandle {
  exec(sql: string): unknown
  prepare(sql: string): SqliteStatement
}

/** A handle that we opened ourselves. */
export interface OwnHandle extends SqliteHandle {
  close(): unknown
}

export type Open = (path: string) => OwnHandle

export const isHandle = (value: unknown): value is SqliteHandle =>
  typeof value === 'object' &&
  value !== null &&
  typeof (value as Partial<SqliteHandle>).exec === 'function' &&
  typeof (value as Partial<SqliteHandle>).prepare === 'function'
