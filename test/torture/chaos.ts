// What goes wrong in an engine while the processes work, besides their being killed and stopped.
import { createRequire } from 'node:module'
import pg from 'pg'
import { postgresStorage } from '../../src/adapters/postgres/index.ts'
import type { Dice } from './dice.ts'
import { HELD, type Target } from './order.ts'

export interface Chaos {
  /** Streams that are held for long at a time. */
  readonly held: readonly string[]
  /** One thing that goes wrong, named. */
  strike(dice: Dice): Promise<string>
  end(): Promise<void>
}

export const chaosOf = (target: Target): Promise<Chaos> =>
  target.engine === 'sqlite' ? Promise.resolve(sqliteChaos(target.path)) : postgresChaos(target)

/** Another program holds the write lock for a while. */
function sqliteChaos(path: string): Chaos {
  const Database = createRequire(`${process.cwd()}/`)('libsql') as new (path: string) => { exec(sql: string): void; close(): void }
  const handle = new Database(path)
  // Else the driver would wait, and this process with it.
  handle.exec('pragma busy_timeout = 0')
  return {
    held: [],
    async strike(dice) {
      try {
        handle.exec('BEGIN IMMEDIATE')
      } catch {
        return 'a lock that was taken'
      }
      await new Promise((resolve) => setTimeout(resolve, dice.below(200)))
      handle.exec('ROLLBACK')
      return 'a write lock held by another program'
    },
    async end() {
      handle.close()
    },
  }
}

/**
 * Sessions idle in transaction, here and in another database, for the whole run; another that holds a stream for some seconds at a time;
 * connections that are cut at any moment.
 */
async function postgresChaos(target: Extract<Target, { engine: 'postgres' }>): Promise<Chaos> {
  const { url, schema } = target
  const connect = async (to: string): Promise<pg.Client> => {
    const client = new pg.Client({ connectionString: to, application_name: 'torture chaos' })
    await client.connect()
    return client
  }
  const [here, idleHere, holder, idleElsewhere] = await Promise.all([
    connect(url),
    connect(url),
    connect(url),
    connect(url.replace(/\/[^/]*$/, '/postgres')),
  ])
  await here.query(`create table if not exists ${schema}_idle (n int)`)
  await idleHere.query(`begin; insert into ${schema}_idle values (1)`)
  await idleElsewhere.query('begin; select pg_current_xact_id()')
  const holding = holdStream(holder, target)
  return {
    held: [HELD],
    async strike(dice) {
      const { rows } = await here.query(
        "select pid from pg_stat_activity where datname = current_database() and application_name <> 'torture chaos' and pid <> pg_backend_pid() order by pid",
      )
      if (rows.length === 0) return 'nobody to cut off'
      await here.query('select pg_terminate_backend($1)', [rows[dice.below(rows.length)].pid])
      return 'a connection cut'
    },
    async end() {
      await holding.end()
      for (const client of [idleHere, holder, idleElsewhere]) await client.end()
      await here.query(`drop table ${schema}_idle`)
      await here.end()
    },
  }
}

/** A user's transaction that holds a stream for seven seconds, lets go for a moment, and holds it again. What it writes it rolls back. */
function holdStream(client: pg.Client, { url, schema }: Extract<Target, { engine: 'postgres' }>): { end(): Promise<void> } {
  const ended = new AbortController()
  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const over = (): void => {
        clearTimeout(timer)
        ended.signal.removeEventListener('abort', over)
        resolve()
      }
      const timer = setTimeout(over, ms)
      ended.signal.addEventListener('abort', over)
    })
  const hold = async (): Promise<void> => {
    const pool = new pg.Pool({ connectionString: url, max: 1, application_name: 'torture chaos' })
    pool.on('error', () => {})
    const storage = postgresStorage(pool, { schema })
    await storage.open()
    while (!ended.signal.aborted) {
      await client.query('begin')
      await storage.eventStore?.join(client).append({ writes: [{ stream: HELD, expect: 'any', events: [{ type: 'held', data: null }] }] })
      await pause(7_000)
      await client.query('rollback')
      await pause(500)
    }
    await storage.close()
    await pool.end()
  }
  const holding = hold()
  return {
    end: () => {
      ended.abort()
      return holding
    },
  }
}
