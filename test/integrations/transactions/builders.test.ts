import { sql } from 'drizzle-orm'
import { drizzle as drizzleOnPg } from 'drizzle-orm/node-postgres'
import { drizzle as drizzleOnPostgresJs } from 'drizzle-orm/postgres-js'
import { CompiledQuery, type Dialect, Kysely, MssqlAdapter, MysqlDialect, PostgresAdapter, PostgresDialect, SqliteDialect } from 'kysely'
import postgres from 'postgres'
import { afterAll, beforeAll, beforeEach, describe, expect, expectTypeOf, test } from 'vitest'
import { drizzleTransactions } from '../../../src/integrations/drizzle/index.ts'
import { kyselyTransactions } from '../../../src/integrations/kysely/index.ts'
import type { Transactions } from '../../../src/ports/transactions.ts'
import { describeWith } from '../../support/services.ts'
import { cutOff, type Desk, desk, url } from './support.ts'

/** One query builder, as the cases need it. */
interface Builder {
  readonly transactions: Transactions<unknown>
  readonly execute: (tx: unknown, text: string) => Promise<unknown>
  readonly close: () => Promise<void>
}

interface Tables {
  orders: { id: string }
}

const nothing = async (): Promise<void> => {}

function onPg({ pool }: Desk): Builder {
  const db = drizzleOnPg(pool)
  const transactions = drizzleTransactions(db)
  return { transactions, execute: async (tx, text) => (tx as typeof db).execute(sql.raw(text)), close: nothing }
}

function onPostgresJs(): Builder {
  const client = postgres(url, { max: 3, onnotice: () => {} })
  const db = drizzleOnPostgresJs(client)
  return {
    transactions: drizzleTransactions(db),
    execute: async (tx, text) => (tx as typeof db).execute(sql.raw(text)),
    close: () => client.end({ timeout: 1 }),
  }
}

function onKysely({ pool }: Desk): Builder {
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
  return {
    transactions: kyselyTransactions(db) as Transactions<unknown>,
    execute: async (tx, text) => (tx as Kysely<Tables>).executeQuery(CompiledQuery.raw(text)),
    close: nothing,
  }
}

const builders: Record<string, (desk: Desk) => Builder> = {
  'drizzle on pg': onPg,
  'drizzle on postgres.js': onPostgresJs,
  'kysely on pg': onKysely,
}

describeWith('postgres', 'transactions of query builders', () => {
  describe.each(Object.entries(builders))('%s', (name, make) => {
    let at: Desk
    let builder: Builder
    const insert = (tx: unknown, id: string) => builder.execute(tx, `insert into ${at.schema}.orders values ('${id}')`)

    beforeAll(async () => {
      at = await desk(`hf_${name.replace(/\W/g, '_')}`)
      builder = make(at)
    })
    beforeEach(async () => {
      await at.pool.query(`delete from ${at.schema}.orders`)
    })
    afterAll(async () => {
      await builder.close()
      await at.close()
    })

    test('commits what the function did, and answers what it answered', async () => {
      const answer = await builder.transactions.run(async (tx) => {
        await insert(tx, '1')
        return 'done'
      })
      expect([answer, await at.ids()]).toEqual(['done', ['1']])
    })

    test('rolls back when the function rejects, and rejects with that very error', async () => {
      const mine = new Error('mine')
      const run = builder.transactions.run(async (tx) => {
        await insert(tx, '1')
        throw mine
      })
      await expect(run).rejects.toBe(mine)
      expect(await at.ids()).toEqual([])
    })

    test('commits nothing when a statement failed and its error was swallowed', async () => {
      const run = builder.transactions.run(async (tx) => {
        await insert(tx, '1')
        await builder.execute(tx, 'select 1/0').catch(() => {})
      })
      await expect(run).rejects.toThrow()
      expect(await at.ids()).toEqual([])
    })

    test('runs at READ COMMITTED', async () => {
      const level = await builder.transactions.run(async (tx) => JSON.stringify(await builder.execute(tx, 'show transaction_isolation')))
      expect(level).toContain('read committed')
    })

    test('rolls back and leaves at once when the signal aborts', async () => {
      const over = new AbortController()
      const run = builder.transactions.run(
        async (tx) => {
          await insert(tx, '1')
          over.abort()
          await new Promise(() => {})
        },
        { signal: over.signal },
      )
      await expect(run).rejects.toMatchObject({ code: 'ABORTED', effect: 'none' })
      expect(await at.ids()).toEqual([])
    })

    test('begins nothing under an aborted signal', async () => {
      let began = false
      const run = builder.transactions.run(
        async () => {
          began = true
        },
        { signal: AbortSignal.abort() },
      )
      await expect(run).rejects.toMatchObject({ code: 'ABORTED', effect: 'none' })
      expect(began).toBe(false)
    })

    test('says that a commit which the engine refused did nothing', async () => {
      const { pool, schema } = at
      await pool.query(`create table ${schema}.lines (order_id text references ${schema}.orders (id) deferrable initially deferred)`)
      const run = builder.transactions.run((tx) => builder.execute(tx, `insert into ${schema}.lines values ('nobody')`))
      await expect(run).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE', effect: 'none' })
      await pool.query(`drop table ${schema}.lines`)
    })

    // Nothing above the driver can prevent that.
    const endsProcess = name === 'drizzle on postgres.js'
    const meta = { skippedFor: 'postgres.js 3.4.9: it sends the ROLLBACK to a socket that is null then, which ends the process' }
    test('rejects with what the function met when the connection is cut off inside', {
      skip: endsProcess,
      ...(endsProcess && { meta }),
    }, async () => {
      const run = builder.transactions.run(async (tx) => {
        await insert(tx, '1')
        await cutOff(at)
        await insert(tx, '2')
      })
      await expect(run).rejects.toThrow()
      expect(await at.ids()).toEqual([])
    })
  })

  test('a commit whose answer is lost has an unknown effect', async () => {
    const lost = {
      transaction: async (fn: (tx: { execute(text: string): Promise<unknown> }) => Promise<unknown>) => {
        await fn({ execute: async () => {} })
        throw Object.assign(new Error('Connection terminated unexpectedly'), { code: 'ECONNRESET' })
      },
    }
    await expect(drizzleTransactions(lost).run(async () => 1)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE', effect: 'unknown' })
  })

  test('a server that is not there leaves nothing begun', async () => {
    const client = postgres('postgres://postgres@127.0.0.1:1/test', { connect_timeout: 2 })
    await expect(drizzleTransactions(drizzleOnPostgresJs(client)).run(async () => 1)).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
      effect: 'none',
      retry: 'later',
    })
    await client.end()
  })
})

test('the types of transactions are those of the builders', () => {
  const db = drizzleOnPg.mock()
  type Tx = Parameters<Parameters<typeof db.transaction>[0]>[0]
  expectTypeOf(drizzleTransactions(db)).toEqualTypeOf<Transactions<Tx>>()
  const kysely = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: async () => Promise.reject(new Error('never')) }) })
  expectTypeOf(kyselyTransactions(kysely)).toEqualTypeOf<Transactions<import('kysely').Transaction<Tables>>>()
})

describe('a Kysely', () => {
  const pool = async () => Promise.reject(new Error('never'))
  const on = (dialect: Dialect) => () => kyselyTransactions(new Kysely<Tables>({ dialect }))

  test('of PostgreSQL is one also where a bundler has shortened its names', () => {
    class a extends PostgresAdapter {}
    class b extends PostgresDialect {
      override createAdapter() {
        return new a()
      }
    }
    expect(on(new b({ pool }))).not.toThrow()
  })

  test.each<[string, Dialect]>([
    ['MySQL', new MysqlDialect({ pool })],
    ['SQLite', new SqliteDialect({ database: async () => pool() })],
    [
      'SQL Server',
      new (class extends PostgresDialect {
        // Its own wants a pool and a driver to begin with.
        override createAdapter() {
          return new MssqlAdapter()
        }
      })({ pool }),
    ],
  ])('of %s is refused', (_, dialect) => {
    expect(on(dialect)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }))
  })
})

test.each([undefined, null, 3, {}, { transaction: 1 }])('refuses %s as a database', (rubbish) => {
  expect(() => drizzleTransactions(rubbish as never)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }))
  expect(() => kyselyTransactions(rubbish as never)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }))
})
