import type { Clock } from '../../../core/clock.ts'
import type { SqlRow, SqlText } from '../../sql-shared/runner.ts'
import type { PgClientOptions, PgStatement } from './client.ts'

/** What is used of a pending query of postgres.js. */
export interface Pending extends PromiseLike<unknown> {
  raw(): Pending
  execute(): Pending
  /** Set once it was given to a connection. */
  readonly state?: unknown
  /** Its text, until then. */
  readonly strings?: unknown
  /** The error after which the driver has prepared it again and sent it once more. */
  readonly retried?: unknown
}

export type Unsafe = (text: string, values: SqlText[], options: Readonly<Record<string, unknown>>) => Pending

/** What is used of an `sql` of postgres.js. */
export interface PostgresJs {
  unsafe(text: string, ...rest: never[]): unknown
  begin(...args: never[]): unknown
  listen(...args: never[]): unknown
}

export type PostgresJsOptions = PgClientOptions & { readonly clock: Clock }

/** Rows as buffers: no parser and no transform of the user's takes part. */
export function rawQuery(unsafe: Unsafe, statement: string | PgStatement, values: SqlText[], prepares: boolean): Pending {
  const { text, name } = typeof statement === 'string' ? { text: statement, name: undefined } : statement
  return unsafe(text, values, { prepare: prepares && name !== undefined, simple: false })
    .raw()
    .execute()
}

export async function texts(pending: PromiseLike<unknown>): Promise<readonly SqlRow[]> {
  const rows = (await pending) as readonly (readonly (Uint8Array | null)[])[]
  return rows.map((row) => row.map(asText))
}

const asText = (value: Uint8Array | null): SqlText =>
  value === null ? null : Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8')
