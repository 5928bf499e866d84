import pg from 'pg'
import type postgres from 'postgres'
import { afterAll, afterEach, beforeAll, describe, expect, expectTypeOf, test } from 'vitest'
import { migrationSql, type PostgresStorageOptions, postgresStorage } from '../../../src/adapters/postgres/index.ts'
import type { KeyChange } from '../../../src/ports/key-value.ts'
import type { Storage } from '../../../src/ports/storage.ts'
import { created, creation, extension, words } from '../../../src/testing/contracts/journal-store.ts'
import { describeWith } from '../../support/services.ts'
import { drivers, HOST, ownSchema, type PoolSettings, poolOf, until } from './support.ts'

describe('a PostgreSQL storage', () => {
  const pool = new pg.Pool({ host: HOST, port: 1 })

  test.each([
    ['an empty schema', { schema: '' }, 'schema must be a text of 1 to 63 bytes without NUL'],
    ['a schema that is too long', { schema: 'ü'.repeat(32) }, 'schema must be a text of 1 to 63 bytes'],
    ['a NUL in the prefix', { prefix: 'a\0' }, 'prefix must be a text of 1 to 30 bytes'],
    ['a text for listen', { listen: 'postgres://' }, 'listen must be a function that makes a Client of pg'],
    ['too short a poll', { pollMs: 1 }, 'pollMs must be a number from 10 to 60000'],
    ['no time to connect', { connectMaxMs: 0 }, 'connectMaxMs must be a number from 1 to 600000'],
    ['an unknown option', { table: 'x' }, 'unknown option table'],
  ])('refuses %s', (_, options, reason) => {
    expect(() => postgresStorage(pool, options as PostgresStorageOptions)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS', effect: 'none', message: expect.stringContaining(reason) }),
    )
  })

  test('touches nothing until it is opened, and is a storage', async () => {
    const storage = postgresStorage(pool)
    expect(storage.engine).toBe('postgres')
    expect(storage.ports).toEqual(['sagaJournal', 'eventStore', 'keyValue', 'lease', 'notifier', 'checkpoints'])
    await storage.close()
    await expect(storage.sagaJournal.list({})).rejects.toMatchObject({ code: 'NOT_STARTED', effect: 'none' })
    expectTypeOf(storage).toExtend<Storage>()
  })

  test('that is not reached says so', async () => {
    const storage = postgresStorage(pool)
    await expect(storage.open()).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE', effect: 'none', retry: 'later' })
    await expect(storage.migrate()).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE', effect: 'none', retry: 'later' })
    await expect(storage.open(AbortSignal.abort())).rejects.toMatchObject({ code: 'ABORTED', effect: 'none' })
    expect(await storage.health()).toMatchObject({ status: 'down', reason: expect.stringContaining('ECONNREFUSED') })
  })
})

describeWith('postgres', 'a PostgreSQL storage', () => {
  const { schema, run, kill } = ownSchema('storage')
  const role = `${schema}_reader`
  const ends: (() => Promise<unknown>)[] = []
  let sagas = 0
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end()
  })
  beforeAll(async () => {
    const { pool, end } = poolOf('pg')
    await postgresStorage(pool, { schema }).migrate()
    await end()
  })
  afterAll(async () => {
    await run(`drop owned by "${role}"`).catch(() => [])
    await run(`drop role if exists "${role}"`)
  })

  describe.each(drivers)('with %s', (driver) => {
    const storageOf = (settings: PoolSettings = {}, options: PostgresStorageOptions = {}) => {
      const { pool, end } = poolOf(driver, settings)
      const storage = postgresStorage(pool, { schema, ...options })
      ends.push(async () => {
        await storage.close()
        await end()
      })
      return { storage, pool }
    }
    const opened = async (settings: PoolSettings = {}, options: PostgresStorageOptions = {}) => {
      const { storage } = storageOf(settings, options)
      await storage.open()
      return storage
    }

    test('says what it needs where it is not migrated', async () => {
      const { storage } = storageOf({}, { schema: `${schema}_none` })
      expect(await storage.health()).toMatchObject({
        status: 'down',
        reason: expect.stringContaining(`migrationSql({ schema: "${schema}_none" })`),
      })
      await expect(storage.open()).rejects.toMatchObject({ code: 'NOT_MIGRATED', effect: 'none', retry: 'never' })
    })

    test('leaves the pool as it is', async () => {
      const { storage, pool } = storageOf()
      await storage.open()
      await storage.close()
      await storage.close()
      const rows =
        typeof pool === 'function'
          ? await pool`select 1::int8 as big, now() as at`
          : (await pool.query('select 1::int8 as big, now() as at')).rows
      expect(rows[0]).toEqual({ big: '1', at: expect.any(Date) })
    })

    test('counts who holds what, and how old the oldest snapshot is, which blocks nothing', async () => {
      const storage = await opened()
      await run(`delete from "${schema}".saga_lease`)
      expect(await storage.stats()).toMatchObject({ schemaVersion: expect.any(Number), shardOwners: 0, leasesHeld: 0 })
      await storage.sagaJournal.claim('me', { shards: 4, leaseMs: 60_000 })
      const grant = await storage.lease.acquire('name', 'me', { ttlMs: 60_000 })
      const idle = new pg.Client({ host: HOST, user: 'postgres', database: 'postgres' })
      await idle.connect()
      await idle.query('begin isolation level repeatable read')
      await idle.query('select 1 from pg_class')
      await until('it is old', async () => (await storage.stats()).oldestSnapshotMs > 50)
      expect(await storage.stats()).toMatchObject({ shardOwners: 1, leasesHeld: 1 })
      expect(words(await storage.sagaJournal.append([creation(`saga ${++sagas}`)]))).toEqual(['ok'])
      expect(await storage.health()).toEqual({ status: 'ok' })
      await idle.end()
      if (grant !== undefined) await storage.lease.release(grant)
      await storage.sagaJournal.release('me')
      expect(await storage.stats()).toMatchObject({ shardOwners: 0, leasesHeld: 0 })
    })

    test('reads where it may not write, and says why', async () => {
      const journal = (await opened({ settings: { default_transaction_read_only: 'on' } })).sagaJournal
      expect(await journal.list({ limit: 1 })).toBeInstanceOf(Array)
      await expect(journal.append([creation(`saga ${++sagas}`)])).rejects.toMatchObject({
        code: 'STORAGE_UNAVAILABLE',
        effect: 'none',
        retry: 'later',
        message: expect.stringContaining('read-only'),
      })
    })

    test('reads as a role that may only read, and says what it lacks', async () => {
      if ((await run('select 1 from pg_roles where rolname = $1', [role])).length === 0) await run(`create role "${role}" login`)
      await run(`grant usage on schema "${schema}" to "${role}"`)
      await run(`grant select on all tables in schema "${schema}" to "${role}"`)
      const storage = await opened({ user: role })
      expect(await storage.health()).toEqual({ status: 'ok' })
      const lacking = { code: 'STORAGE_UNAVAILABLE', effect: 'none', retry: 'never', message: expect.stringContaining('lacks a privilege') }
      await expect(storage.sagaJournal.append([creation(`saga ${++sagas}`)])).rejects.toMatchObject(lacking)
      await expect(storage.keyValue.put('a', 'b')).rejects.toMatchObject(lacking)
    })

    test('writes nothing of what runs into a statement_timeout of the user', async () => {
      const { sagaJournal: journal } = await opened({ settings: { statement_timeout: '150' } })
      const [a, b] = [`saga ${++sagas}`, `saga ${++sagas}`]
      await created(journal, a)
      await run(`delete from "${schema}".saga_lease`)
      const [claim] = await journal.claim('me', { shards: 1, leaseMs: 60_000 })
      const fence = claim?.fence ?? { shard: 0, epoch: 0 }
      const other = new pg.Client({ host: HOST, user: 'postgres', database: 'postgres' })
      await other.connect()
      await other.query('begin')
      await other.query(`select 1 from "${schema}".saga where id = $1 for update`, [a])
      const [held, free] = await Promise.allSettled([journal.append([extension(a, 2, fence)]), journal.append([creation(b)])])
      await other.end()
      expect(held).toMatchObject({
        reason: { code: 'STORAGE_UNAVAILABLE', effect: 'none', retry: 'later', details: { sqlstate: '57014' } },
      })
      // It was in the same batch.
      expect(free).toMatchObject({ value: [{ ok: true }] })
      expect(words(await journal.append([extension(a, 2, fence)]))).toEqual(['ok'])
      await journal.release('me')
    })

    test('is not held up for good by a pool that has no connection to give', async () => {
      const { storage, pool } = storageOf({ max: 1 }, { connectMaxMs: 700 })
      await storage.open()
      const refused = { code: 'STORAGE_UNAVAILABLE', effect: 'none', retry: 'later' }
      const id = `saga ${++sagas}`
      const asks = async () => {
        await expect(storage.sagaJournal.append([creation(id)])).rejects.toMatchObject(refused)
        await expect(storage.keyValue.get('a')).rejects.toMatchObject(refused)
      }
      if (typeof pool === 'function') await pool.begin(asks)
      else {
        const client = await pool.connect()
        await asks()
        client.release()
      }
      expect(await storage.sagaJournal.head(id)).toBeUndefined()
      expect(words(await storage.sagaJournal.append([creation(id)]))).toEqual(['ok'])
    })

    test('works without prepared statements', async () => {
      const storage = await opened({ max: 1 }, { preparedStatements: false })
      const id = `saga ${++sagas}`
      expect(words(await storage.sagaJournal.append([creation(id)]))).toEqual(['ok'])
      expect(await storage.keyValue.put(id, 'x')).toMatchObject({ ok: true })
      expect(await run(`select count(*)::int as n from pg_prepared_statements`)).toEqual([{ n: 0 }])
    })

    test('tells who watches of a change that commits after later ones were told', async () => {
      const { keyValue } = await opened()
      const stop = new AbortController()
      const changes: KeyChange[] = []
      const late = new pg.Client({ host: HOST, user: 'postgres', database: 'postgres' })
      await late.connect()
      await late.query('begin')
      await late.query(`insert into "${schema}".key_value values ('late', 'x', nextval('"${schema}".revision'), null, txid_current()) on conflict (key)
        do update set value = 'y', revision = excluded.revision, xid = excluded.xid`)
      const watching = (async () => {
        for await (const change of keyValue.watch('', stop.signal)) changes.push(change)
      })()
      await keyValue.put('early', 'x')
      await until('the later one is told', () => changes.some(({ key }) => key === 'early'))
      await late.query('commit')
      await late.end()
      await until('the earlier one is told', () => changes.some(({ key }) => key === 'late'))
      await kill(`%"${schema}".key_value%`)
      await until('it goes on after its connection was lost', async () => {
        await keyValue.put('again', 'x').catch(() => {})
        return changes.some(({ key }) => key === 'again')
      })
      stop.abort()
      await watching
      await keyValue.delete('late')
    })

    test('finds its listening connection again, and wakes everybody then', async () => {
      const listen =
        driver === 'pg'
          ? () => new pg.Client({ host: HOST, user: 'postgres', database: 'postgres' })
          : (poolOf('postgres.js').pool as postgres.Sql)
      if (typeof listen === 'function' && 'end' in listen) ends.push(() => (listen as postgres.Sql).end({ timeout: 0.3 }))
      const { notifier } = await opened({}, { listen })
      const listeners = [await notifier.listen('a'), await notifier.listen('b')]
      const woken = Promise.all(listeners.map((listener) => listener.wait(15_000)))
      await until('the connection that listens is killed', async () => (await kill('listen %holdfast_%')) > 0)
      expect(await woken).toEqual([true, true])
      const hinted = listeners[0]?.wait(15_000)
      await notifier.notify('a')
      expect(await hinted).toBe(true)
    })

    test('listens on a connection that a pool of pg can spare, and gives it back', async () => {
      const { pool, end } = poolOf('pg', { max: 1 })
      const { storage } = storageOf({}, { listen: pool as pg.Pool })
      await storage.open()
      const listener = await storage.notifier.listen('a')
      const hinted = listener.wait(15_000)
      await storage.notifier.notify('a')
      expect(await hinted).toBe(true)
      await storage.close()
      expect((await (pool as pg.Pool).query('select 1 as one')).rows).toEqual([{ one: 1 }])
      await end()
    })

    test('does not open where its listening connection cannot be had', async () => {
      const listen = () => new pg.Client({ host: HOST, port: 1 })
      const { storage } = storageOf({}, { listen })
      await expect(storage.open()).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE', effect: 'none', retry: 'later' })
    })
  })

  test('removes what became of old batches, and deleted keys', async () => {
    const { pool, end } = poolOf('pg')
    const storage = postgresStorage(pool, { schema })
    await storage.open()
    await run(
      `insert into "${schema}".batch (id, verdicts, at) values ('answered', 'o', now() - interval '1 hour'), ('taken', null, now() - interval '1 hour'), ('old', null, now() - interval '4 days'), ('new', 'o', now())`,
    )
    await run(`select "${schema}".batch_prune()`)
    const left = await run(`select id from "${schema}".batch where id in ('answered', 'taken', 'old', 'new') order by id`)
    expect(left).toEqual([{ id: 'new' }, { id: 'taken' }])
    await run(`insert into "${schema}".key_value values ('long gone', '', 1, now() - interval '1 hour', 1)`)
    for (let n = 0; n < 1_000; n += 50) await Promise.all(Array.from({ length: 50 }, (_, i) => storage.keyValue.put(`k${n + i}`, 'x')))
    await until('it is removed', async () => (await run(`select 1 from "${schema}".key_value where key = 'long gone'`)).length === 0)
    expect(migrationSql({ schema })).toContain(schema)
    await storage.close()
    await end()
  })
})
