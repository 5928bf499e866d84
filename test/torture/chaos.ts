// What goes wrong in an engine while the processes work, besides their being killed and stopped.
import { createRequire } from 'node:module'
import pg from 'pg'
import type { Dice } from './dice.ts'
import type { Target } from './order.ts'

export interface Chaos {
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
  return {
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

/** Sessions idle in transaction, here and in another database, for the whole run; connections that are cut at any moment. */
async function postgresChaos({ url, schema }: Extract<Target, { engine: 'postgres' }>): Promise<Chaos> {
  const here = new pg.Client({ connectionString: url, application_name: 'torture chaos' })
  const idleHere = new pg.Client({ connectionString: url, application_name: 'torture chaos' })
  const idleElsewhere = new pg.Client({ connectionString: url.replace(/\/[^/]*$/, '/postgres'), application_name: 'torture chaos' })
  for (const client of [here, idleHere, idleElsewhere]) await client.connect()
  await here.query(`create table if not exists ${schema}_idle (n int)`)
  await idleHere.query(`begin; insert into ${schema}_idle values (1)`)
  await idleElsewhere.query('begin; select pg_current_xact_id()')
  return {
    async strike(dice) {
      const { rows } = await here.query(
        "select pid from pg_stat_activity where datname = current_database() and application_name <> 'torture chaos' and pid <> pg_backend_pid() order by pid",
      )
      if (rows.length === 0) return 'nobody to cut off'
      await here.query('select pg_terminate_backend($1)', [rows[dice.below(rows.length)].pid])
      return 'a connection cut'
    },
    async end() {
      for (const client of [idleHere, idleElsewhere]) await client.end()
      await here.query(`drop table ${schema}_idle`)
      await here.end()
    },
  }
}
