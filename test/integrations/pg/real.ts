// Pools of the real `pg` on the real PostgreSQL, and who looks at them from outside. Each test file has a name of its own.
import { createServer } from 'node:net'
import { Client, Pool, type PoolConfig } from 'pg'
import { onTestFinished } from 'vitest'

const server = { host: '127.0.0.1', port: 5432, user: 'postgres', database: 'postgres' } as const

/** A pool that is ended after the test, and hears the errors of its idle clients. */
export function openPool(name: string, config: PoolConfig = {}): Pool {
  const pool = new Pool({ ...server, application_name: name, max: 2, ...config })
  pool.on('error', () => {})
  onTestFinished(async () => {
    if (!pool.ending) await pool.end()
  })
  return pool
}

/** Runs statements on a connection of their own. */
export async function administer(sql: string): Promise<void> {
  const client = new Client(server)
  await client.connect()
  await client.query(sql).finally(() => client.end())
}

/** A connection of its own that holds a lock, sees who waits for it, and ends backends. */
export async function openOperator(name: string) {
  const client = new Client({ ...server, application_name: `${name}_operator` })
  await client.connect()
  onTestFinished(() => client.end())
  const LOCK = `hashtext('${name}')`
  return {
    query: client.query.bind(client),
    lock: () => client.query(`select pg_advisory_lock(${LOCK})`),
    unlock: () => client.query(`select pg_advisory_unlock(${LOCK})`),
    /** What stands still until the operator unlocks, and answers with the backend that it ran on. */
    waits: `select pg_backend_pid() as pid, pg_advisory_xact_lock(${LOCK})`,
    /** The backend that waits for the lock, as soon as there is one. */
    async waiting(): Promise<number> {
      for (let asked = 0; asked < 10_000; asked++) {
        const { rows } = await client.query<{ pid: number }>(
          `select pid from pg_stat_activity where application_name = $1 and wait_event = 'advisory'`,
          [name],
        )
        if (rows[0] !== undefined) return rows[0].pid
      }
      throw new Error('no backend waits for the lock')
    },
    terminate: (pid: number) => client.query('select pg_terminate_backend($1, 5000)', [pid]),
  }
}

/** A port of this machine; with `silent`, something accepts connections there and never says a word. */
export async function deadPort(kind: 'closed' | 'silent'): Promise<number> {
  const sockets = new Set<{ destroy(): void }>()
  const listener = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const { port } = listener.address() as { port: number }
  const close = () =>
    new Promise<void>((resolve) => {
      listener.close(() => resolve())
      for (const socket of sockets) socket.destroy()
    })
  if (kind === 'closed') await close()
  else onTestFinished(close)
  return port
}
