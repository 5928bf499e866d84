// Every promise once more with PgBouncer in transaction mode in between: each transaction may come to another connection of the server.
import pg from 'pg'
import postgres from 'postgres'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import {
  type PostgresStorageOptions,
  pgTransactions,
  postgresJsTransactions,
  postgresStorage,
} from '../../../src/adapters/postgres/index.ts'
import { checkpointsContract } from '../../../src/testing/contracts/checkpoints.ts'
import { eventStoreContract, sagaJournalContract, standTransaction } from '../../../src/testing/contracts/index.ts'
import { keyValueContract } from '../../../src/testing/contracts/key-value.ts'
import { leaseContract } from '../../../src/testing/contracts/lease.ts'
import { notifierContract } from '../../../src/testing/contracts/notifier.ts'
import { describeWith } from '../../support/services.ts'
import { type Pooler, startPooler } from './pgbouncer.ts'
import { type Driver, drivers, HOST, isJs, ownSchema, PORT, poolOf } from './support.ts'

const waiting = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

describeWith('pgbouncer', 'behind PgBouncer in transaction mode', () => {
  const { schema, run } = ownSchema('pooler')
  let pooler: Pooler
  const ends: (() => Promise<void>)[] = []
  beforeAll(async () => {
    pooler = await startPooler({ size: 16 })
  })
  afterAll(() => pooler.close())
  afterEach(async () => {
    for (const end of ends.splice(0)) await end()
  })

  const pooled = (driver: Driver) => {
    const { host, port } = pooler
    const { pool, end } = poolOf(driver, { host, port, max: 10 })
    ends.push(end)
    return pool
  }
  const place = { schema, preparedStatements: false }
  const storage = (driver: Driver, more: PostgresStorageOptions = {}) => postgresStorage(pooled(driver), { ...place, ...more })
  const begin = (driver: Driver) => {
    const pool = pooled(driver)
    return isJs(pool) ? standTransaction(postgresJsTransactions(pool)) : standTransaction(pgTransactions(pool))
  }
  const empty = async (...tables: string[]) => void (await run(`truncate ${tables.map((name) => `"${schema}".${name}`).join(', ')}`))

  test.each(drivers)('is migrated with %s by five clients at once', async (driver) => {
    const storages = Array.from({ length: 5 }, () => storage(driver))
    await Promise.all(storages.map((one) => one.migrate()))
    for (const one of storages) await one.open()
    for (const one of storages) await one.close()
  })

  describe.each(drivers)('with %s', (driver) => {
    beforeAll(async () => {
      const { host, port } = pooler
      const { pool, end } = poolOf(driver, { host, port })
      await postgresStorage(pool, place).migrate()
      await end()
    })

    describe('the event store', () => {
      const events = ['event', 'event_archived', 'event_pending', 'event_stream', 'event_tag', 'event_tagged', 'event_key', 'event_batch']
      const make = async () => {
        await empty(...events)
        await run(`update "${schema}".event_log set head = 0, incarnation = gen_random_uuid()`)
        const one = pooled(driver)
        return {
          store: () => postgresStorage(one, place).eventStore,
          transaction: () => begin(driver),
          passMs: waiting,
          close: async () => {},
        }
      }
      for (const { promise, name, run: show } of eventStoreContract) test(`promise ${promise}: ${name}`, () => show(make))
    })

    describe('the saga journal', () => {
      const make = async () => ({
        journal: () => storage(driver).sagaJournal,
        passMs: waiting,
        close: () => empty('saga', 'saga_record', 'saga_lease', 'saga_fence', 'batch'),
      })
      for (const { promise, name, run: show } of sagaJournalContract) test(`promise ${promise}: ${name}`, () => show(make))
    })

    describe('key-value', () => {
      const make = async () => ({ keyValue: () => storage(driver).keyValue, passMs: waiting, close: () => empty('key_value') })
      for (const { promise, name, run: show } of keyValueContract) test(`promise ${promise}: ${name}`, () => show(make))
    })

    describe('leases', () => {
      const make = async () => ({ lease: () => storage(driver).lease, passMs: waiting, close: () => empty('lease') })
      for (const { promise, name, run: show } of leaseContract) test(`promise ${promise}: ${name}`, () => show(make))
    })

    describe('checkpoints', () => {
      const make = async () => ({
        checkpoints: () => storage(driver).checkpoints,
        transaction: () => begin(driver),
        close: () => empty('checkpoint'),
      })
      for (const { promise, name, run: show } of checkpointsContract) test(`promise ${promise}: ${name}`, () => show(make))
    })

    describe('hints that are polled', () => {
      const make = async () => ({
        notifier: () => storage(driver, { pollMs: 10 }).notifier,
        passMs: waiting,
        close: () => empty('hint'),
      })
      for (const { promise, name, run: show } of notifierContract) test(`promise ${promise}: ${name}`, () => show(make))
    })

    describe('hints that are pushed past it', () => {
      const listen = () => {
        if (driver === 'pg') return () => new pg.Client({ host: HOST, port: PORT, user: 'postgres', database: 'postgres' })
        const sql = postgres({ host: HOST, port: PORT, user: 'postgres', database: 'postgres', onnotice: () => {}, backoff: () => 0.01 })
        ends.push(() => sql.end({ timeout: 0.3 }))
        return sql
      }
      const make = async () => ({
        notifier: () => storage(driver, { listen: listen() }).notifier,
        passMs: waiting,
        close: () => empty('hint'),
      })
      for (const { promise, name, run: show } of notifierContract) test(`promise ${promise}: ${name}`, () => show(make))

      test('says so', () => {
        expect(storage(driver, { listen: listen() }).notifier.describe()).toMatchObject({ delivery: 'pushed' })
      })
    })
  })
})
