import pg from 'pg'
import postgres from 'postgres'
import { afterEach, describe, expect, expectTypeOf, test } from 'vitest'
import type { PgClient } from '../../../src/adapters/postgres/client/client.ts'
import { isPgPool, isPostgresJs } from '../../../src/adapters/postgres/client/detect.ts'
import type { PgPool } from '../../../src/adapters/postgres/client/pg-client.ts'
import type { PostgresJs } from '../../../src/adapters/postgres/client/postgres-js-raw.ts'
import { statement } from '../../../src/adapters/postgres/statement.ts'
import { describeWith } from '../../support/services.ts'
import { clientFor, drivers, ownSchema, type Pooled, type PoolSettings, poolOf, until } from './support.ts'

const made: Pooled[] = []
const reads = { call: 'test', writes: false }
const writes = { call: 'test', writes: true }
afterEach(async () => {
  await Promise.all(made.splice(0).map(({ end }) => end()))
})

describe('what is given as a pool', () => {
  test('has the types of the drivers', () => {
    expectTypeOf<pg.Pool>().toExtend<PgPool>()
    expectTypeOf<postgres.Sql>().toExtend<PostgresJs>()
  })

  test.each([
    ['nothing', undefined],
    ['a text', 'postgres://127.0.0.1'],
    ['a client of pg', new pg.Client()],
    ['the driver of postgres.js itself', postgres],
    ['an object', { query: () => {} }],
  ])('is not %s', (_, pool) => {
    expect([isPgPool(pool), isPostgresJs(pool)]).toEqual([false, false])
    expect(() => clientFor({ pool: pool as unknown as pg.Pool, end: async () => {} })).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS', effect: 'none', message: expect.stringContaining('a Pool of pg') }),
    )
  })

  test('may not change rows', () => {
    const pool = postgres({ transform: { row: { from: (row) => row } } })
    expect(() => clientFor({ pool, end: async () => {} })).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }))
  })
})

describeWith('postgres', 'a client', () => {
  const { run, kill } = ownSchema('client')

  describe.each(drivers)('of %s', (driver) => {
    const make = (settings: PoolSettings = {}, options: Parameters<typeof clientFor>[1] = {}) => {
      const pooled = poolOf(driver, settings)
      made.push(pooled)
      return { pooled, client: clientFor(pooled, options) }
    }

    test('answers raw texts by their place, whatever parsers the user has set', async () => {
      const { client } = make()
      const former = [25, 23, 16].map((oid) => [oid, pg.types.getTypeParser(oid)] as const)
      for (const [oid] of former) pg.types.setTypeParser(oid, () => 'the parser of the user')
      try {
        const text = 'select $1::text, $2::text::int, true, null::text, $3::text'
        for (const what of [{ text }, statement(text)])
          expect(await client.query(what, ['a', '42', 'ü😀\u0001'], reads)).toEqual([['a', '42', 't', null, 'ü😀\u0001']])
      } finally {
        for (const [oid, parser] of former) pg.types.setTypeParser(oid, parser)
      }
    })

    test('answers raw texts where postgres.js has types and transforms of its own', async () => {
      const pooled: Pooled =
        driver === 'pg'
          ? poolOf('pg')
          : (() => {
              const shout = { to: 23, from: [23, 25], serialize: String, parse: () => 'SHOUT' }
              const sql = postgres({
                host: '127.0.0.1',
                user: 'postgres',
                types: { shout },
                transform: { ...postgres.camel, value: { from: () => 'X' } },
              })
              return { pool: sql as unknown as postgres.Sql, end: () => sql.end() }
            })()
      made.push(pooled)
      expect(await clientFor(pooled).query({ text: 'select $1::text, 1 as some_name' }, ['a'], reads)).toEqual([['a', '1']])
    })

    test('prepares a named statement once per connection, and again when the server asks for it', async () => {
      const { client } = make({ max: 1 })
      const look = statement('select * from pg_temp.look')
      const answer = await client.transaction(async (connection) => {
        await connection.script('create temp table look (a text); insert into look values (1)')
        return [await connection.query(look, []), await connection.query(look, [])]
      }, writes)
      expect(answer).toEqual([[['1']], [['1']]])
      const prepared = { text: `select count(*)::text from pg_prepared_statements where statement like '%pg_temp.look'` }
      expect(await client.query(prepared, [], reads)).toEqual([['1']])
      await client.transaction((connection) => connection.script('alter table look add b text'), writes)
      expect(await client.query(look, [], reads)).toEqual([['1', null]])
      await client.transaction((connection) => connection.script('alter table look add c text'), writes)
      let runs = 0
      const inside = client.transaction((connection) => {
        runs += 1
        return connection.query(look, [])
      }, writes)
      expect(await inside).toEqual([['1', null, null]])
      expect(runs).toBe(2)
    })

    test('prepares nothing where it is told not to', async () => {
      const { client } = make({ max: 1 }, { preparedStatements: false })
      await client.query(statement('select 1 as unprepared'), [], reads)
      const prepared = { text: `select count(*)::text from pg_prepared_statements where statement like '%unprepared'` }
      expect(await client.query(prepared, [], reads)).toEqual([['0']])
    })

    /** Holds the only connection of a pool until it is let go. */
    const holding = async (client: PgClient) => {
      let letGo = (): void => {}
      const held = new Promise<void>((resolve) => {
        letGo = resolve
      })
      let isHeld = (): void => {}
      const begun = new Promise<void>((resolve) => {
        isHeld = resolve
      })
      const ended = client.transaction(async () => {
        isHeld()
        await held
      }, writes)
      await begun
      return async () => {
        letGo()
        await ended
      }
    }

    test('leaves when it is aborted while it waits for a connection: nothing is sent later', async () => {
      const { client } = make({ max: 1 })
      await client.transaction((connection) => connection.script('create temp table late (a text)'), writes)
      const letGo = await holding(client)
      const controller = new AbortController()
      const options = { ...writes, signal: controller.signal }
      const one = expect(client.query({ text: 'insert into late values ($1::text)' }, ['x'], options)).rejects.toMatchObject({
        code: 'ABORTED',
        effect: 'none',
        cause: 'enough',
      })
      const two = expect(client.transaction((c) => c.query('insert into late values ($1::text)', ['y']), options)).rejects.toMatchObject({
        code: 'ABORTED',
        effect: 'none',
      })
      await new Promise((resolve) => setImmediate(resolve))
      controller.abort('enough')
      await Promise.all([one, two])
      await expect(client.query({ text: 'select 1' }, [], options)).rejects.toMatchObject({ code: 'ABORTED', effect: 'none' })
      await letGo()
      expect(await client.query({ text: 'select count(*)::text from late' }, [], reads)).toEqual([['0']])
    })

    test('is told when a pool has no connection to give: nothing is sent later', async () => {
      const { client: patient, pooled } = make({ max: 1 })
      const client = clientFor(pooled, { connectMaxMs: 30 })
      await patient.transaction((connection) => connection.script('create temp table late (a text)'), writes)
      const letGo = await holding(patient)
      const refused = {
        code: 'STORAGE_UNAVAILABLE',
        effect: 'none',
        retry: 'later',
        message: expect.stringContaining('no connection within 30 ms'),
      }
      const inserting = { text: 'insert into late values ($1::text)' }
      await expect(client.query(inserting, ['x'], writes)).rejects.toMatchObject(refused)
      await expect(client.transaction((c) => c.query(inserting, ['y']), writes)).rejects.toMatchObject(refused)
      await letGo()
      expect(await patient.query({ text: 'select count(*)::text from late' }, [], reads)).toEqual([['0']])
    })

    test.each([
      ['a port where nobody listens', { port: 1 }, 'later'],
      ['a database that is not there', { database: 'hf_no_such_database' }, 'never'],
      ['a role that is not there', { user: 'hf_no_such_role' }, 'never'],
    ])('is told of %s', async (_, settings, retry) => {
      const { client } = make(settings)
      await expect(client.query({ text: 'select 1' }, [], writes)).rejects.toMatchObject({
        code: 'STORAGE_UNAVAILABLE',
        effect: 'none',
        retry,
      })
      await expect(client.transaction(async () => {}, writes)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE', effect: 'none', retry })
    })

    test('knows that nothing was done where the server says so, and keeps the connection', async () => {
      const { client } = make({ max: 1, settings: { statement_timeout: '50' } })
      const call = (text: string) => client.query({ text }, [], writes)
      const pid = await call('select pg_backend_pid()::text')
      await expect(call('select pg_sleep(10)::text')).rejects.toMatchObject({
        effect: 'none',
        retry: 'later',
        details: { sqlstate: '57014' },
      })
      await expect(call('select 1 / 0')).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE', effect: 'none', retry: 'never' })
      await expect(call('select * from nowhere.nothing')).rejects.toMatchObject({ code: 'NOT_MIGRATED', effect: 'none' })
      expect(await call('select pg_backend_pid()::text')).toEqual(pid)
    })

    test('says that a write is read-only where it is', async () => {
      const { client } = make({ settings: { default_transaction_read_only: 'on' } })
      const writing = client.query({ text: 'create table public.hf_never (a int)' }, [], writes)
      await expect(writing).rejects.toMatchObject({
        code: 'STORAGE_UNAVAILABLE',
        effect: 'none',
        message: expect.stringContaining('read-only'),
      })
    })

    test('does not know what became of a statement whose connection was lost, and throws the connection away', async () => {
      const { client } = make({ max: 1 })
      const sleeping = (writes: boolean) =>
        client.query({ text: `select pg_sleep(20)::text as hf_sleeping_${driver.replace('.', '')}` }, [], { call: 'test', writes })
      for (const writes of [true, false]) {
        const lost = expect(sleeping(writes)).rejects.toMatchObject({
          code: 'STORAGE_UNAVAILABLE',
          effect: writes ? 'unknown' : 'none',
          retry: 'later',
        })
        await until('it sleeps', async () => (await kill(`%hf_sleeping_${driver.replace('.', '')}`)) > 0)
        await lost
        expect(await client.query({ text: 'select 1::text' }, [], reads)).toEqual([['1']])
      }
    })

    test('survives the loss of a connection between two statements', async () => {
      const { client } = make({ max: 1 })
      const ended: unknown[] = []
      const lost = client.transaction(async (connection) => {
        const [[pid] = []] = await connection.query('select pg_backend_pid()::text', [])
        await run('select pg_terminate_backend($1)', [Number(pid)])
        await until('it is gone', async () => (await run('select 1 from pg_stat_activity where pid = $1', [Number(pid)])).length === 0)
        for (const next of [() => connection.query('select 1::text', []), () => connection.script('select 1')])
          await next().catch((error: unknown) => ended.push(error))
      }, writes)
      await expect(lost).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE', retry: 'later' })
      expect(ended).toMatchObject([{ code: 'STORAGE_UNAVAILABLE' }, { code: 'STORAGE_UNAVAILABLE' }])
      await until('it works again', async () => {
        const rows = await client.transaction((c) => c.query('select 1::text', []), reads).catch(() => [])
        return rows.length === 1
      })
    })

    test('commits a transaction in READ COMMITTED, and rolls back what fails in it', async () => {
      const { client } = make({ settings: { default_transaction_isolation: 'serializable' } })
      const options = writes
      const level = await client.transaction((c) => c.query('show transaction_isolation', []), options)
      expect(level).toEqual([['read committed']])
      const failing = client.transaction(async (c) => void (await c.query('select 1 / 0', [])), writes)
      await expect(failing).rejects.toMatchObject({ effect: 'none' })
      const thrown = client.transaction(async () => Promise.reject(new RangeError('mine')), writes)
      await expect(thrown).rejects.toThrow(RangeError)
      expect(await client.transaction((c) => c.query('select 1::text', []), writes)).toEqual([['1']])
    })

    test('leaves at once when a statement is aborted, and gives the connection back when it is answered', async () => {
      const { client } = make({ max: 1 })
      for (const writes of [true, false]) {
        const controller = new AbortController()
        const waiting = client.query({ text: 'select pg_sleep(0.2)::text' }, [], {
          call: 'test',
          writes,
          signal: controller.signal,
        })
        await until(
          'it runs',
          async () =>
            (await run(`select 1 from pg_stat_activity where query = 'select pg_sleep(0.2)::text' and state = 'active'`)).length > 0,
        )
        controller.abort()
        await expect(waiting).rejects.toMatchObject({ code: 'ABORTED', effect: writes ? 'unknown' : 'none' })
      }
      expect(await client.query({ text: 'select 1::text' }, [], reads)).toEqual([['1']])
    })
  })
})
