import type { Pool, PoolClient, QueryResult } from 'pg'
import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from 'vitest'
import { bulkhead, circuitBreaker, consecutive, policies, postgresFailures, retry, timeout } from '../../../src/index.ts'
import { guardPool } from '../../../src/integrations/pg/index.ts'
import { testClock } from '../../../src/testing/test-clock.ts'
import { describeWith } from '../../support/services.ts'
import { turn } from '../http.ts'
import { administer, openOperator, openPool } from './real.ts'

const NAME = 'holdfast_guard_pool'
const pooled = (config = {}) => openPool(NAME, config)
const slots = (concurrent = 1, queued = 0) => bulkhead({ concurrent, queued })
const breaks = () => circuitBreaker({ trips: consecutive(1), classify: postgresFailures })

describeWith('postgres', 'guardPool on pg and PostgreSQL', () => {
  const dropped = `drop schema if exists ${NAME} cascade`
  beforeAll(() => administer(`${dropped}; create schema ${NAME}; create table ${NAME}.users (name text primary key)`))
  afterAll(() => administer(dropped))

  describe('connect', () => {
    test('holds its permit from the check-out until release', async () => {
      const one = slots()
      const guarded = guardPool(pooled(), one)
      const client = await guarded.connect()
      client.on('error', () => {})
      expect((await client.query('select 1 as n')).rows).toEqual([{ n: 1 }])
      await turn()
      expect([one.running, guarded.totalCount, guarded.idleCount]).toEqual([1, 1, 0])
      await expect(guarded.connect()).rejects.toMatchObject({ code: 'BULKHEAD_FULL', effect: 'none' })
      client.release()
      await turn()
      expect([one.running, guarded.totalCount, guarded.idleCount]).toEqual([0, 1, 1])
      expect(() => client.release()).toThrow('already been released')
    })

    test('hands a client that was waited for to the oldest waiter, whose permit is its own', async () => {
      const one = slots(1, 2)
      const guarded = guardPool(pooled({ max: 1 }), one)
      const first = await guarded.connect()
      const waiting = guarded.connect()
      first.release()
      const second = await waiting
      expect(second).toBe(first)
      await turn()
      expect(one.running).toBe(1)
      second.release()
      await turn()
      expect(one.running).toBe(0)
    })

    test('with release(error) takes the client out of the pool, and gives the permit back', async () => {
      const one = slots()
      const guarded = guardPool(pooled(), one)
      const client = await guarded.connect()
      client.release(new Error('spoilt'))
      await turn()
      expect([one.running, guarded.totalCount]).toEqual([0, 0])
      const next = await guarded.connect()
      expect(next).not.toBe(client)
      next.release()
    })

    test('with a callback is given the client and a done', async () => {
      const one = slots()
      const guarded = guardPool(pooled(), one)
      const [client, done] = await new Promise<[PoolClient | undefined, () => void]>((resolve, reject) => {
        guarded.connect((error, client, done) => (error ? reject(error) : resolve([client, done])))
      })
      expect((await client?.query('select 2 as n'))?.rows).toEqual([{ n: 2 }])
      expect(one.running).toBe(1)
      done()
      await turn()
      expect([one.running, guarded.idleCount]).toEqual([0, 1])
    })

    test('keeps one client for a transaction, which nobody else sees before it commits', async () => {
      const guarded = guardPool(pooled(), slots(2))
      const count = async () => (await guarded.query(`select count(*)::int as n from ${NAME}.users where name like 'tx%'`)).rows[0].n
      const client = await guarded.connect()
      await client.query('begin')
      await client.query(`insert into ${NAME}.users values ('tx rolled back')`)
      expect(await count()).toBe(0)
      await client.query('rollback')
      await client.query('begin')
      await client.query(`insert into ${NAME}.users values ('tx committed')`)
      await client.query('commit')
      client.release()
      expect(await count()).toBe(1)
    })

    test('releases a client that comes after the time limit, so that the next can have it', async () => {
      const clock = testClock()
      const pool = pooled({ max: 1 })
      const taken = await pool.connect()
      const two = slots(2)
      const late = guardPool(pool, policies(two, timeout({ timeoutMs: 50, clock }))).connect()
      const refused = expect(late).rejects.toMatchObject({ code: 'TIMEOUT', effect: 'none', retry: 'later' })
      await clock.advance(50)
      await refused
      expect([pool.waitingCount, two.running]).toEqual([1, 1])
      taken.release()
      const next = await pool.connect()
      expect([pool.waitingCount, two.running]).toEqual([0, 0])
      next.release()
    })
  })

  describe('query', () => {
    test('counts a terminated backend and not a unique violation, under postgresFailures', async () => {
      const operator = await openOperator(NAME)
      const breaker = breaks()
      const guarded = guardPool(pooled(), breaker)
      const ann = () => guarded.query(`insert into ${NAME}.users values ('Ann')`)
      await ann()
      await expect(ann()).rejects.toMatchObject({ code: '23505' })
      await expect(guarded.query('select nonsense')).rejects.toMatchObject({ code: '42703' })
      expect(breaker.state).toBe('closed')

      await operator.lock()
      const broken = expect(guarded.query(operator.waits)).rejects.toMatchObject({ code: '57P01' })
      await operator.terminate(await operator.waiting())
      await broken
      expect(breaker.state).toBe('open')
      await expect(ann()).rejects.toMatchObject({ code: 'BREAKER_OPEN', effect: 'none' })
    })

    test('is sent again by a retry on another connection after its backend was terminated', async () => {
      const operator = await openOperator(NAME)
      const guarded = guardPool(pooled(), policies(retry({ attempts: 2, delayMs: 0 }), slots()))
      await operator.lock()
      const answer = guarded.query<{ pid: number }>(operator.waits)
      const first = await operator.waiting()
      await operator.terminate(first)
      const second = await operator.waiting()
      await operator.unlock()
      expect((await answer).rows[0]?.pid).toBe(second)
      expect(second).not.toBe(first)
    })

    test('that its caller no longer waits for keeps its slot until the server has answered', async () => {
      const operator = await openOperator(NAME)
      const clock = testClock()
      const one = slots()
      const guarded = guardPool(pooled(), policies(one, timeout({ timeoutMs: 100, clock })))
      await operator.lock()
      const late = expect(guarded.query(operator.waits)).rejects.toMatchObject({ code: 'TIMEOUT', effect: 'unknown' })
      await operator.waiting()
      await clock.advance(100)
      await late
      expect(one.running).toBe(1)
      await expect(guarded.query('select 1')).rejects.toMatchObject({ code: 'BULKHEAD_FULL' })
      await operator.unlock()
      while (one.running > 0) await turn()
      expect((await guarded.query('select 1 as n')).rows).toEqual([{ n: 1 }])
    })

    test('takes values, a configuration, a name to prepare under, and a callback', async () => {
      const guarded = guardPool(pooled(), slots())
      expect((await guarded.query('select $1::int as n', [3])).rows).toEqual([{ n: 3 }])
      expect((await guarded.query({ text: 'select $1::int', values: [4], rowMode: 'array' })).rows).toEqual([[4]])
      expect((await guarded.query({ name: 'five', text: 'select $1::int as n', values: [5] })).rows).toEqual([{ n: 5 }])
      const answer = await new Promise<QueryResult>((resolve, reject) => {
        guarded.query('select $1::int as n', [6], (error, result) => (error ? reject(error) : resolve(result)))
      })
      expect(answer.rows).toEqual([{ n: 6 }])
      const error = await new Promise((resolve) => guarded.query('select nonsense', (error) => resolve(error)))
      expect(error).toMatchObject({ code: '42703' })
    })
  })

  describe('a lost connection', () => {
    test('of an idle client is told by the guarded pool’s error event, and the next query has another', async () => {
      const operator = await openOperator(NAME)
      const guarded = guardPool(pooled(), slots())
      const { rows } = await guarded.query<{ pid: number }>('select pg_backend_pid() as pid')
      const told = new Promise<Error>((resolve) => guarded.on('error', resolve))
      await operator.terminate(rows[0]?.pid ?? 0)
      expect(await told).toMatchObject({ code: '57P01' })
      const next = await guarded.query<{ pid: number }>('select pg_backend_pid() as pid')
      expect(next.rows[0]?.pid).not.toBe(rows[0]?.pid)
    })

    test('of a client that is checked out costs no permit once it is released', async () => {
      const operator = await openOperator(NAME)
      const one = slots()
      const guarded = guardPool(pooled(), one)
      const client = await guarded.connect()
      const lost = new Promise<Error>((resolve) => client.once('error', resolve))
      client.on('error', () => {})
      const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
      await operator.terminate(rows[0]?.pid ?? 0)
      expect(await lost).toMatchObject({ code: '57P01' })
      await expect(client.query('select 1')).rejects.toThrow(/not queryable|terminated/)
      client.release(true)
      await turn()
      expect([one.running, guarded.totalCount]).toEqual([0, 0])
      expect((await guarded.query('select 1 as n')).rows).toEqual([{ n: 1 }])
    })
  })

  test('an ended pool refuses in pg’s own words, and the breaker does not take that for the database’s health', async () => {
    const breaker = breaks()
    const guarded = guardPool(pooled(), breaker)
    await guarded.query('select 1')
    await guarded.end()
    expect([guarded.ended, guarded.totalCount]).toEqual([true, 0])
    await expect(guarded.query('select 1')).rejects.toThrow('Cannot use a pool after calling end')
    await expect(guarded.connect()).rejects.toThrow('Cannot use a pool after calling end')
    expect(breaker.state).toBe('closed')
  })

  test('keeps the pool’s type', async () => {
    const guarded = guardPool(pooled(), slots())
    expectTypeOf(guarded).toEqualTypeOf<Pool>()
    expectTypeOf(guarded.connect).toEqualTypeOf<Pool['connect']>()
    expectTypeOf(guarded.query).toEqualTypeOf<Pool['query']>()
    const { rows } = await guarded.query<{ n: number }>('select 1 as n')
    expectTypeOf(rows).toEqualTypeOf<Array<{ n: number }>>()
    expect(guarded).toBeInstanceOf(guarded.constructor)
  })
})
