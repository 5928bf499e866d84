import { drizzle as drizzlePg } from 'drizzle-orm/node-postgres'
import { drizzle as drizzleJs } from 'drizzle-orm/postgres-js'
import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import type postgres from 'postgres'
import { afterEach, beforeAll, describe, expect, expectTypeOf, test } from 'vitest'
import { pgTransactions, postgresJsTransactions, postgresStorage } from '../../../src/adapters/postgres/index.ts'
import { asOpenTransaction } from '../../../src/adapters/postgres/transactions/open-transaction.ts'
import type { CheckpointWrite } from '../../../src/ports/checkpoints.ts'
import type { Transactions } from '../../../src/ports/transactions.ts'
import { describeWith } from '../../support/services.ts'
import { HOST, isJs, ownSchema, poolOf, until } from './support.ts'

const target = { host: HOST, user: 'postgres', database: 'postgres' }
const write = (name: string): CheckpointWrite => ({ name, from: 0n, to: 7n, incarnation: 'one', token: 1 })
class Wanted extends Error {}

describeWith('postgres', 'a transaction of the user', () => {
  const { schema, run } = ownSchema('tx')
  const ends: (() => Promise<unknown>)[] = []
  afterEach(async () => {
    for (const end of ends.splice(0)) await end()
  })
  const pgPool = (settings: Parameters<typeof poolOf>[1] = {}) => {
    const { pool, end } = poolOf('pg', settings)
    ends.push(end)
    return pool as pg.Pool
  }
  const sqlOf = (settings: Parameters<typeof poolOf>[1] = {}) => {
    const { pool, end } = poolOf('postgres.js', settings)
    ends.push(end)
    return pool as postgres.Sql
  }
  const opened = async () => {
    const storage = postgresStorage(pgPool(), { schema })
    await storage.open()
    ends.unshift(() => storage.close())
    return storage
  }
  beforeAll(async () => {
    const { pool, end } = poolOf('pg')
    await postgresStorage(pool, { schema }).migrate()
    await end()
  })

  const kysely = () => new Kysely<Record<string, never>>({ dialect: new PostgresDialect({ pool: pgPool() }) })

  /** Runs `fn` inside a transaction of each client. */
  const clients: Record<string, (fn: (tx: unknown) => Promise<void>) => Promise<unknown>> = {
    'pg, by its factory': (fn) => pgTransactions(pgPool()).run(fn),
    'pg, by hand': async (fn) => {
      const client = new pg.Client(target)
      await client.connect()
      await client.query('begin')
      await fn(client).finally(async () => {
        await client.query('rollback')
        await client.end()
      })
    },
    'postgres.js, by its factory': (fn) => postgresJsTransactions(sqlOf()).run(fn),
    'postgres.js': (fn) => sqlOf().begin(fn),
    'postgres.js in a savepoint': (fn) => sqlOf().begin((tx) => tx.savepoint(fn)),
    'Drizzle on pg': (fn) => drizzlePg(pgPool()).transaction(fn),
    'Drizzle on pg, nested': (fn) => drizzlePg(pgPool()).transaction((tx) => tx.transaction(fn)),
    'Drizzle on postgres.js': (fn) => drizzleJs(sqlOf()).transaction(fn),
    Kysely: (fn) => kysely().transaction().execute(fn),
  }

  describe.each(Object.entries(clients))('of %s', (_, inside) => {
    test('is recognised, and what is written in it vanishes with it', async () => {
      const { checkpoints } = await opened()
      let stale: unknown
      const undone = inside(async (tx) => {
        stale = tx
        expect(await checkpoints.save(write('a'), { tx })).toEqual({ ok: true })
        expect(await checkpoints.save(write('a'), { tx })).toMatchObject({ ok: false, reason: 'moved', stored: { position: 7n } })
        expect(await checkpoints.load('a')).toBeUndefined()
        throw new Wanted()
      })
      await expect(undone).rejects.toThrow(Wanted)
      expect(await checkpoints.load('a')).toBeUndefined()
      await expect(checkpoints.save(write('a'), { tx: stale })).rejects.toMatchObject({
        code: 'TX_NOT_OPEN',
        effect: 'none',
        retry: 'never',
      })
      expect(await checkpoints.load('a')).toBeUndefined()
    })

    test('answers by place: texts and nulls, whatever parsers the user has set', async () => {
      const former = pg.types.getTypeParser(1043)
      pg.types.setTypeParser(1043, () => 'the parser of the user')
      try {
        await inside(async (tx) => {
          const runner = await asOpenTransaction(tx, 'migrate')
          const rows = await runner.query(`select $1::text as a, null::text as b, $2::text::int::text as c, 'x'::text as d`, [
            "it's ü",
            '5',
          ])
          expect(rows).toEqual([["it's ü", null, '5', 'x']])
          throw new Wanted()
        }).catch((error: unknown) => {
          if (!(error instanceof Wanted)) throw error
        })
      } finally {
        pg.types.setTypeParser(1043, former)
      }
    })

    test('that has failed is refused', async () => {
      const { checkpoints } = await opened()
      const failing = inside(async (tx) => {
        const runner = await asOpenTransaction(tx, 'migrate')
        await expect(runner.query('select 1 / 0 as a', [])).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE', effect: 'none' })
        await expect(checkpoints.save(write('a'), { tx })).rejects.toMatchObject({ code: 'TX_NOT_OPEN', effect: 'none' })
        throw new Wanted()
      })
      await expect(failing).rejects.toThrow()
    })
  })

  test('commits with what was written in it', async () => {
    const { checkpoints } = await opened()
    await pgTransactions(pgPool()).run(async (tx) => void (await checkpoints.save(write('by pg'), { tx })))
    await postgresJsTransactions(sqlOf()).run(async (tx) => void (await checkpoints.save(write('by postgres.js'), { tx })))
    await kysely()
      .transaction()
      .execute(async (tx) => void (await checkpoints.save(write('by Kysely'), { tx })))
    expect((await checkpoints.list()).map(({ name }) => name)).toEqual(['by Kysely', 'by pg', 'by postgres.js'])
  })

  test('of Prisma is recognised by its shape', async () => {
    const client = await pgPool().connect()
    await client.query('begin')
    const $queryRawUnsafe = async (text: string, ...values: unknown[]) => (await client.query(text, values)).rows as object[]
    const runner = await asOpenTransaction({ $queryRawUnsafe, $transaction: () => {} }, 'migrate')
    expect(await runner.query('select $1::text as a, null as b', ['x'])).toEqual([['x', null]])
    await client.query('rollback')
    await expect(asOpenTransaction({ $queryRawUnsafe }, 'migrate')).rejects.toMatchObject({ code: 'TX_NOT_OPEN' })
    await expect(asOpenTransaction({ $queryRawUnsafe, $connect: () => {} }, 'migrate')).rejects.toMatchObject({ code: 'TX_NOT_OPEN' })
    client.release()
  })

  test('is not what is none', async () => {
    const { checkpoints } = await opened()
    const idle = await pgPool().connect()
    const throwing = new Proxy(
      {},
      {
        get: () => {
          throw new Error('mine')
        },
        has: () => true,
      },
    )
    const pool = pgPool()
    const sql = sqlOf()
    const none = {
      pool,
      sql,
      'a client outside a transaction': idle,
      'a Drizzle database': drizzlePg(pgPool()),
      'a Drizzle database on postgres.js': drizzleJs(sqlOf()),
      Kysely: kysely(),
      'a client that is not connected': new pg.Client(target),
      throwing,
      revoked: Proxy.revocable({}, {}).proxy,
      null: null,
      number: 42,
      text: 'begin',
      object: {},
    }
    for (const [what, tx] of Object.entries(none))
      await expect(checkpoints.save(write('none'), { tx }), what).rejects.toMatchObject({ code: 'TX_NOT_OPEN', effect: 'none' })
    idle.release()
    expect(await checkpoints.load('none')).toBeUndefined()
  })

  test('of postgres.js that is over is not taken for the one that is open on its connection now', async () => {
    const { checkpoints } = await opened()
    const sql = sqlOf({ max: 1 })
    let stale: unknown
    await sql.begin(async (tx) => {
      stale = tx
      await asOpenTransaction(tx, '')
    })
    await sql.begin(async (tx) => {
      await expect(checkpoints.save(write('stale'), { tx: stale })).rejects.toMatchObject({ code: 'TX_NOT_OPEN', effect: 'none' })
      expect(await checkpoints.save(write('open'), { tx })).toEqual({ ok: true })
    })
    expect([await checkpoints.load('stale'), (await checkpoints.load('open'))?.position]).toEqual([undefined, 7n])
    await checkpoints.delete('open')
  })

  test('is probed where a statement of it is on its way: it may be the COMMIT', async () => {
    const client = await pgPool().connect()
    await client.query('begin')
    const committing = client.query('commit')
    await expect(asOpenTransaction(client, 'migrate')).rejects.toMatchObject({ code: 'TX_NOT_OPEN' })
    await committing
    client.release()
  })

  describe.each([
    ['pg', (settings: object) => pgTransactions(pgPool(settings)) as Transactions<unknown>],
    ['postgres.js', (settings: object) => postgresJsTransactions(sqlOf(settings)) as Transactions<unknown>],
  ])('opened by the factory for %s', (_, open) => {
    const ask = async (tx: unknown, text: string) => (await asOpenTransaction(tx, '')).query(text, [])

    test('answers what its function did, in READ COMMITTED', async () => {
      const db = open({ settings: { default_transaction_isolation: 'serializable' } })
      expect(db.engine).toBe('postgres')
      expect(await db.run((tx) => ask(tx, "select current_setting('transaction_isolation') as a"))).toEqual([['read committed']])
    })

    test('is rolled back when it is aborted: what its function does later is not written', async () => {
      const db = open({ max: 1 })
      await run(`create table if not exists "${schema}".kept (a text)`)
      const stop = new AbortController()
      let later = (): Promise<unknown> => Promise.resolve()
      let end = (): void => {}
      const aborted = db.run(
        async (tx) => {
          const runner = await asOpenTransaction(tx, '')
          await runner.query(`insert into "${schema}".kept values ('before')`, [])
          later = () => runner.query(`insert into "${schema}".kept values ('after')`, [])
          stop.abort('enough')
          await new Promise<void>((resolve) => {
            end = resolve
          })
        },
        { signal: stop.signal },
      )
      await expect(aborted).rejects.toMatchObject({ code: 'ABORTED', effect: 'none', cause: 'enough' })
      await expect(later()).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
      end()
      await expect(db.run(async () => {}, { signal: stop.signal })).rejects.toMatchObject({ code: 'ABORTED', effect: 'none' })
      expect(await db.run((tx) => ask(tx, 'select 1::text as a'))).toEqual([['1']])
      expect(await run(`select a from "${schema}".kept`)).toEqual([])
    })

    test('does not know of a COMMIT whose connection was lost', async () => {
      const db = open({ max: 1 })
      await run(`create table if not exists "${schema}".slow (a int)`)
      await run(
        `create or replace function "${schema}".slowly() returns trigger language plpgsql as 'begin perform pg_sleep(20); return null; end'`,
      )
      await run(
        `create constraint trigger slowly after insert on "${schema}".slow deferrable initially deferred for each row execute function "${schema}".slowly()`,
      )
      let pid = 0
      const lost = db.run(async (tx) => {
        pid = Number((await ask(tx, 'select pg_backend_pid()::text as a'))[0]?.[0])
        await ask(tx, `insert into "${schema}".slow values (1) returning '1' as a`)
      })
      const told = expect(lost).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE', effect: 'unknown' })
      await until(
        'it commits',
        async () =>
          (await run(`select 1 from pg_stat_activity where pid = $1 and query ilike '%commit%' and state = 'active'`, [pid])).length > 0,
      )
      await run('select pg_terminate_backend($1)', [pid])
      await told
      await run(`drop table "${schema}".slow`)
      await until('it works again', async () => (await db.run((tx) => ask(tx, 'select 1::text as a')).catch(() => [])).length === 1)
    })

    test('survives the loss of its connection while its function is elsewhere', async () => {
      const db = open({ max: 1 })
      const lost = db.run(async (tx) => {
        const runner = await asOpenTransaction(tx, '')
        const pid = Number((await runner.query('select pg_backend_pid()::text as a', []))[0]?.[0])
        await run('select pg_terminate_backend($1)', [pid])
        await until('it is gone', async () => (await run('select 1 from pg_stat_activity where pid = $1', [pid])).length === 0)
        const reason = () => runner.query('select 1 as a', []).then(() => '', String)
        const isNoticed = async () => /was lost|not queryable/.test(await reason())
        await until('it is noticed', isNoticed)
      })
      await expect(lost).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE', effect: 'none' })
      await until('it works again', async () => (await db.run((tx) => ask(tx, 'select 1::text as a')).catch(() => [])).length === 1)
    })

    test('that cannot be begun has effect none', async () => {
      await expect(open({ port: 1 }).run(async () => 1)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE', effect: 'none' })
    })
  })

  test('of pg in which an error was swallowed is not taken for committed', async () => {
    const swallowed = pgTransactions(pgPool()).run(async (client) => {
      await client.query('select 1 / 0').catch(() => {})
    })
    await expect(swallowed).rejects.toMatchObject({ code: 'FAILED', effect: 'none' })
  })

  test('of a factory is refused for options that are none, and has the type of its client', () => {
    const pool = pgPool()
    const sql = sqlOf()
    expect(() => pgTransactions(sql as unknown as pg.Pool)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }))
    expect(() => postgresJsTransactions(pool as unknown as postgres.Sql)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }))
    expect(() => pgTransactions(pool, { isolation: 'chaos' as 'serializable' })).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS' }),
    )
    expectTypeOf(pgTransactions(pool)).toEqualTypeOf<Transactions<pg.PoolClient>>()
    expectTypeOf(postgresJsTransactions(sql)).toEqualTypeOf<Transactions<postgres.TransactionSql>>()
    expect(isJs(sql)).toBe(true)
  })
})
