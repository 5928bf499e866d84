import pg from 'pg'

export const url = 'postgres://postgres@127.0.0.1:5432/test'

/** A pool, and a table of the test's own in a schema that is dropped at the end. */
export interface Desk {
  readonly pool: pg.Pool
  readonly schema: string
  readonly ids: () => Promise<string[]>
  readonly close: () => Promise<void>
}

export async function desk(schema: string): Promise<Desk> {
  const pool = new pg.Pool({ connectionString: url, max: 3 })
  // A connection that is cut off while it is checked out ends the process where nobody listens to it.
  pool.on('connect', (client) => client.on('error', () => {}))
  pool.on('error', () => {})
  await pool.query(`drop schema if exists ${schema} cascade; create schema ${schema}; create table ${schema}.orders (id text primary key)`)
  return {
    pool,
    schema,
    ids: async () => (await pool.query(`select id from ${schema}.orders order by id`)).rows.map(({ id }) => id),
    close: async () => {
      await pool.query(`drop schema ${schema} cascade`)
      await pool.end()
    },
  }
}

/** Ends the server's side of whatever is in a transaction that has touched the schema. */
export async function cutOff({ pool, schema }: Desk): Promise<void> {
  await pool.query(
    `select pg_terminate_backend(l.pid) from pg_locks l join pg_class c on c.oid = l.relation join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = $1 and l.pid <> pg_backend_pid()`,
    [schema],
  )
}
