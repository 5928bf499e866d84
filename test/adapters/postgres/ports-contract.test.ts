import pg from 'pg'
import type postgres from 'postgres'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type PostgresStorageOptions, postgresStorage } from '../../../src/adapters/postgres/index.ts'
import { checkpointsContract } from '../../../src/testing/contracts/checkpoints.ts'
import type { StandTransaction } from '../../../src/testing/contracts/event-store-stand.ts'
import { keyValueContract } from '../../../src/testing/contracts/key-value.ts'
import { leaseContract } from '../../../src/testing/contracts/lease.ts'
import { notifierContract } from '../../../src/testing/contracts/notifier.ts'
import { describeWith } from '../../support/services.ts'
import { type Driver, drivers, HOST, isJs, ownSchema, poolOf } from './support.ts'

const settings = [
  ['by default', {}],
  [
    'with one connection, SERIALIZABLE, read in another zone',
    {
      max: 1,
      settings: { default_transaction_isolation: 'serializable', DateStyle: 'German', TimeZone: 'Asia/Kolkata', extra_float_digits: '0' },
    },
  ],
] as const

const waiting = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

describeWith('postgres', 'the ports beside the journal', () => {
  const { schema, run } = ownSchema('ports')
  const ends: (() => Promise<void>)[] = []
  afterEach(async () => {
    for (const end of ends.splice(0)) await end()
  })
  const pooled = (driver: Driver, options: Parameters<typeof poolOf>[1] = {}) => {
    const { pool, end } = poolOf(driver, options)
    ends.push(end)
    return pool
  }
  const storage = (driver: Driver, options: Parameters<typeof poolOf>[1] = {}, more: PostgresStorageOptions = {}) =>
    postgresStorage(pooled(driver, options), { schema, ...more })
  const empty = (...tables: string[]) => run(`truncate ${tables.map((name) => `"${schema}".${name}`).join(', ')}`)
  beforeAll(async () => {
    const { pool, end } = poolOf('pg')
    await postgresStorage(pool, { schema }).migrate()
    await end()
  })

  /** A transaction of the user's with either driver, that ends when it is told to. */
  async function begin(driver: Driver): Promise<StandTransaction> {
    const pool = pooled(driver)
    if (!isJs(pool)) {
      const client = await pool.connect()
      await client.query('begin')
      const end = (how: string) => async () => {
        await client.query(how)
        client.release()
      }
      return { tx: client, commit: end('commit'), rollback: end('rollback') }
    }
    let finish: (fine: boolean) => void = () => {}
    const finished = new Promise<boolean>((resolve) => {
      finish = resolve
    })
    let ended: Promise<unknown> = Promise.resolve()
    const tx = await new Promise<postgres.TransactionSql>((resolve) => {
      ended = pool
        .begin(async (inner) => {
          resolve(inner)
          if (!(await finished)) throw new Error('rolled back')
        })
        .catch(() => {})
    })
    const end = (fine: boolean) => async () => {
      finish(fine)
      await ended
    }
    return { tx, commit: end(true), rollback: end(false) }
  }

  describe.each(drivers)('with %s', (driver) => {
    // What the second is about is the server's matter, not the driver's.
    describe.each(settings.slice(0, driver === 'pg' ? 2 : 1))('%s', (_, options) => {
      describe('key-value', () => {
        const make = async () => ({
          keyValue: () => storage(driver, options).keyValue,
          passMs: waiting,
          close: async () => void (await empty('key_value')),
        })
        for (const { promise, name, run: show } of keyValueContract) test(`promise ${promise}: ${name}`, () => show(make))
      })

      describe('leases', () => {
        const make = async () => ({
          lease: () => storage(driver, options).lease,
          passMs: waiting,
          close: async () => void (await empty('lease')),
        })
        for (const { promise, name, run: show } of leaseContract) test(`promise ${promise}: ${name}`, () => show(make))
      })

      describe('checkpoints', () => {
        const make = async () => ({
          checkpoints: () => storage(driver, options).checkpoints,
          transaction: () => begin(driver),
          close: async () => void (await empty('checkpoint')),
        })
        for (const { promise, name, run: show } of checkpointsContract) test(`promise ${promise}: ${name}`, () => show(make))
      })

      describe('hints that are polled', () => {
        const make = async () => ({
          notifier: () => storage(driver, options, { pollMs: 10 }).notifier,
          passMs: waiting,
          close: async () => void (await empty('hint')),
        })
        for (const { promise, name, run: show } of notifierContract) test(`promise ${promise}: ${name}`, () => show(make))
      })
    })

    describe('hints that are pushed', () => {
      const listen = () => {
        if (driver === 'pg') return () => new pg.Client({ host: HOST, user: 'postgres', database: 'postgres' })
        return pooled('postgres.js') as postgres.Sql
      }
      const make = async () => ({
        notifier: () => storage(driver, {}, { listen: listen() }).notifier,
        passMs: waiting,
        close: async () => void (await empty('hint')),
      })
      for (const { promise, name, run: show } of notifierContract) test(`promise ${promise}: ${name}`, () => show(make))

      test('says which way hints come, and why', () => {
        expect(storage(driver).notifier.describe()).toEqual({ delivery: 'polled', reason: expect.stringContaining('option listen') })
        expect(storage(driver, {}, { listen: listen() }).notifier.describe()).toEqual({
          delivery: 'pushed',
          reason: expect.stringContaining('LISTEN'),
        })
      })
    })
  })
})
