// A primary that answers only when its standby has what was written, and a standby that is gone.
import type pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type PostgresStorageOptions, pgTransactions, postgresStorage } from '../../../src/adapters/postgres/index.ts'
import type { PostgresStorage } from '../../../src/adapters/postgres/storage.ts'
import { creation } from '../../../src/testing/contracts/journal-store.ts'
import { describeWith } from '../../support/services.ts'
import { type Cluster, type Standby, startPrimary, startStandby } from './cluster.ts'
import { logOf, one, told } from './events/support.ts'
import { type Driver, drivers, poolOf, until } from './support.ts'

const schema = 'holdfast'

describeWith('postgres-binaries', 'a synchronous standby that is gone', () => {
  let primary: Cluster
  let standby: Standby
  const ends: (() => Promise<void>)[] = []
  let numbers = 0
  const fresh = (): string => `n${++numbers}`
  beforeAll(async () => {
    primary = await startPrimary()
    const { pool, end } = poolOf('pg', primary)
    await postgresStorage(pool, { schema }).migrate()
    await end()
    standby = await startStandby(primary)
    await primary.run(`alter system set synchronous_standby_names = 'standby'`)
    await primary.run('select pg_reload_conf()')
    const isWaitedFor = async () => (await primary.run(`select 1 from pg_stat_replication where sync_state = 'sync'`)).length === 1
    await until('the standby is waited for', isWaitedFor)
  })
  afterAll(async () => {
    await standby?.close()
    await primary?.close()
  })
  let isGone = false
  const goes = async (): Promise<void> => {
    await standby.kill()
    isGone = true
  }
  const comesBack = async (): Promise<void> => {
    await standby.start()
    isGone = false
  }
  afterEach(async () => {
    if (isGone) await comesBack()
    for (const end of ends.splice(0).reverse()) await end()
  })

  const pooled = (driver: Driver) => {
    const { pool, end } = poolOf(driver, primary)
    ends.push(end)
    return pool
  }
  async function opened(driver: Driver, options: PostgresStorageOptions = {}): Promise<PostgresStorage> {
    const storage = postgresStorage(pooled(driver), { schema, ...options })
    ends.push(() => storage.close())
    await storage.open()
    return storage
  }
  const waiting = async () => (await primary.run(`select pid from pg_stat_activity where wait_event = 'SyncRep'`)).map(({ pid }) => pid)
  const end = async (how: 'pg_cancel_backend' | 'pg_terminate_backend'): Promise<void> => {
    await until('it waits for the standby', async () => (await waiting()).length > 0)
    for (const pid of await waiting()) await primary.run(`select ${how}($1)`, [pid])
  }
  const unknown = { code: 'STORAGE_UNAVAILABLE', effect: 'unknown', retry: 'later' }

  describe.each(drivers)('with %s', (driver) => {
    test('leaves an append unknown at its deadline, and asked again it is found written', async () => {
      const { eventStore } = await opened(driver)
      const stream = fresh()
      const request = one(stream, 'none', { idempotencyKey: stream })
      await goes()
      const [verdict] = await eventStore.append([request], { timeoutMs: 600 })
      expect(told(verdict)).toBe('unknown STORAGE_UNAVAILABLE')
      await comesBack()
      expect(told((await eventStore.append([request], { timeoutMs: 15_000 }))[0])).toMatch(/^duplicate 1 @/)
      expect((await logOf(eventStore)).filter((event) => event.stream === stream)).toHaveLength(1)
    })

    test('leaves unknown what waited for it on a connection that is ended, also where the primary has it', async () => {
      const { keyValue, sagaJournal } = await opened(driver, { settleMaxMs: 600 })
      const [key, id] = [fresh(), fresh()]
      await goes()
      const put = expect(keyValue.put(key, 'v')).rejects.toMatchObject(unknown)
      await end('pg_terminate_backend')
      await put
      const created = expect(sagaJournal.append([creation(id)])).rejects.toMatchObject(unknown)
      await end('pg_terminate_backend')
      await created
      await comesBack()
      expect((await keyValue.get(key))?.value).toBe('v')
      expect(await sagaJournal.read(id)).toHaveLength(1)
    })
  })

  test.each(drivers)('leaves an append unknown whose connection is ended while it waits, with %s', async (driver) => {
    const { eventStore } = await opened(driver)
    const stream = fresh()
    const request = one(stream, 'none', { idempotencyKey: stream })
    await goes()
    const asked = eventStore.append([request], { timeoutMs: 1_000 })
    await end('pg_terminate_backend')
    expect(told((await asked)[0])).toBe('unknown STORAGE_UNAVAILABLE')
    await comesBack()
    expect(told((await eventStore.append([request], { timeoutMs: 15_000 }))[0])).toMatch(/^duplicate 1 @/)
  })

  test('leaves unknown what is written with pg where the wait for it is cancelled', async () => {
    const { keyValue, sagaJournal } = await opened('pg', { settleMaxMs: 600 })
    const db = pgTransactions(pooled('pg') as pg.Pool)
    const [key, other, id] = [fresh(), fresh(), fresh()]
    await goes()
    const refused = { ...unknown, message: expect.stringContaining('synchronous standby was cancelled') }
    const put = expect(keyValue.put(key, 'v')).rejects.toMatchObject(refused)
    await end('pg_cancel_backend')
    await put
    const run = expect(db.run((client) => client.query(`create table ${other} (a int)`))).rejects.toMatchObject(refused)
    await end('pg_cancel_backend')
    await run
    const created = expect(sagaJournal.append([creation(id)])).rejects.toMatchObject(unknown)
    await end('pg_cancel_backend')
    await created
    await comesBack()
    expect((await keyValue.get(key))?.value).toBe('v')
    expect(await primary.run(`select * from ${other}`)).toEqual([])
    expect(await sagaJournal.read(id)).toHaveLength(1)
  })
})
