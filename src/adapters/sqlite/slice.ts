/**
 * What is used of a prepared statement of libsql, better-sqlite3 or node:sqlite. It is given texts, finite numbers and null; `never` because the
 * packages' own types take no such list before TypeScript 6.
 */
export interface SqliteStatement {
  run(...values: never[]): unknown
  get(...values: never[]): unknown
  all(...values: never[]): unknown[]
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
