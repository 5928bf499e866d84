import { describe, expect, expectTypeOf, test } from 'vitest'
import { bulkhead, circuitBreaker, consecutive, hedge, policies, retry, timeout } from '../../../src/index.ts'
import { guardPool } from '../../../src/integrations/pg/index.ts'
import { testClock } from '../../../src/testing/test-clock.ts'
import { turn } from '../http.ts'
import { type Client, Pool } from './pool.ts'

const sqlError = (code: string): Error => Object.assign(new Error(code), { code })

describe('connect', () => {
  test('holds its permit until release, which returns the client with what it was told', async () => {
    const one = bulkhead({ concurrent: 1, queued: 0 })
    const pool = new Pool(2)
    const guarded = guardPool(pool, one)
    const client = await guarded.connect()
    await turn()
    expect([one.running, pool.idleCount]).toEqual([1, 1])
    await expect(guarded.connect()).rejects.toMatchObject({ code: 'BULKHEAD_FULL', effect: 'none' })
    client.release(true)
    await turn()
    expect([one.running, pool.idleCount, pool.released, pool.connections]).toEqual([0, 2, [true], 1])
    expect(() => client.release()).toThrow('released twice')
  })

  test('hands a client that is free again to the next one, whose permit is its own', async () => {
    const one = bulkhead({ concurrent: 1, queued: 1 })
    const guarded = guardPool(new Pool(1), one)
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

  test('with a callback is given the client and a done that gives the permit back', async () => {
    const one = bulkhead({ concurrent: 1, queued: 0 })
    const pool = new Pool(1)
    const guarded = guardPool(pool, one)
    const done = await new Promise<Client['release'] | undefined>((resolve, reject) => {
      expect(guarded.connect((error, _, done) => (error ? reject(error) : resolve(done)))).toBeUndefined()
    })
    expect(one.running).toBe(1)
    const refusal = await new Promise((resolve) => guarded.connect(resolve))
    expect(refusal).toMatchObject({ code: 'BULKHEAD_FULL' })
    done?.()
    await turn()
    expect([one.running, pool.idleCount]).toEqual([0, 1])
  })

  test('that is hedged keeps one client, also where both come in the same turn', async () => {
    const clock = testClock()
    const pool = new Pool(2)
    const taken = [await pool.connect(), await pool.connect()]
    const one = bulkhead({ concurrent: 1 })
    const call = guardPool(pool, policies(one, hedge({ delayMs: 10, clock }))).connect()
    await turn()
    await clock.advance(10)
    await turn()
    expect(pool.waitingCount).toBe(2)
    for (const client of taken) client.release()
    const client = await call
    await turn()
    expect([pool.idleCount, one.running]).toEqual([1, 1])
    client.release()
    await turn()
    expect([pool.idleCount, one.running]).toEqual([2, 0])
  })

  test('that times out has effect none, and the client that comes too late is released', async () => {
    const clock = testClock()
    const pool = new Pool(1)
    const taken = await pool.connect()
    const one = bulkhead({ concurrent: 2, queued: 0 })
    const late = guardPool(pool, policies(one, timeout({ timeoutMs: 50, clock }))).connect()
    const refused = expect(late).rejects.toMatchObject({ code: 'TIMEOUT', effect: 'none', retry: 'later' })
    await clock.advance(50)
    await refused
    expect(one.running).toBe(1)
    taken.release()
    await turn()
    await turn()
    expect([pool.idleCount, pool.waitingCount, one.running]).toEqual([1, 0, 0])
  })

  test('that the pool itself times out has effect none too, with the pool’s error as the cause', async () => {
    const pool = new Pool(1)
    const guarded = guardPool(pool, policies())
    const taken = await pool.connect()
    const second = guarded.connect()
    await turn()
    pool.timeOut()
    await expect(second).rejects.toMatchObject({ code: 'TIMEOUT', effect: 'none', cause: { message: /timeout exceeded/ } })
    taken.release()
  })

  test('that fails is pg’s own error', async () => {
    const pool = new Pool(1)
    pool.connect = () => Promise.reject(sqlError('28P01'))
    await expect(guardPool(pool, policies()).connect()).rejects.toMatchObject({ name: 'Error', code: '28P01' })
  })
})

describe('query', () => {
  test('is guarded, and counts as the breaker’s classify says', async () => {
    const pool = new Pool(1)
    const breaker = circuitBreaker({
      trips: consecutive(1),
      classify: (outcome) => (outcome.ok ? 'success' : (outcome.error as { code: string }).code.startsWith('23') ? 'ignore' : 'failure'),
    })
    const guarded = guardPool(pool, breaker)
    pool.answers.push(
      () => Promise.reject(sqlError('23505')),
      () => Promise.reject(sqlError('57P01')),
    )
    await expect(guarded.query('insert')).rejects.toMatchObject({ code: '23505' })
    expect(breaker.state).toBe('closed')
    await expect(guarded.query('select $1', [1])).rejects.toMatchObject({ code: '57P01' })
    await expect(guarded.query('select')).rejects.toMatchObject({ code: 'BREAKER_OPEN' })
    expect(pool.asked).toEqual([['insert'], ['select $1', [1]]])
  })

  test('takes one permit, not another for the connection it makes inside', async () => {
    const pool = new Pool(1)
    pool.answers.push(async () => {
      const client = await pool.connect()
      client.release()
      return { rows: [2] }
    })
    expect(await guardPool(pool, bulkhead({ concurrent: 1, queued: 0 })).query('select')).toEqual({ rows: [2] })
  })

  test('with a callback is answered by it', async () => {
    const pool = new Pool(1)
    pool.answers.push(() => Promise.reject(sqlError('40001')))
    const guarded = guardPool(pool, retry({ attempts: 2, delayMs: 0 })) as unknown as { query(...args: unknown[]): unknown }
    const ask = (...args: unknown[]) =>
      new Promise<unknown[]>((resolve) => guarded.query(...args, (...answer: unknown[]) => resolve(answer)))
    expect(await ask('select $1', [1])).toEqual([undefined, { rows: [1] }])
    expect(pool.asked).toEqual(Array(2).fill(['select $1', [1]]))
    pool.answers.push(...Array(2).fill(() => Promise.reject(sqlError('40001'))))
    expect((await ask('select'))[0]).toMatchObject({ code: '40001' })
  })
})

test('everything else is the pool’s own, and the pool stays as it was', async () => {
  const pool = new Pool(3)
  const { connect, query } = pool
  const own = Reflect.ownKeys(pool)
  const guarded = guardPool(pool, policies())
  expectTypeOf(guarded).toEqualTypeOf<Pool>()
  expect(guarded).toBeInstanceOf(Pool)
  expect([guarded.idleCount, guarded.ended, guarded.constructor]).toEqual([3, false, Pool])
  const heard: unknown[] = []
  expect(guarded.on('error', (error) => heard.push(error))).toBe(guarded)
  pool.emit('error', 'x')
  expect(heard).toEqual(['x'])
  await guarded.query('select')
  expect([pool.connect, pool.query, pool.ended, Reflect.ownKeys(pool)]).toEqual([connect, query, false, own])
  await guarded.end()
  expect(pool.ended).toBe(true)
})

test('refuses what is no pool or no policy', () => {
  // @ts-expect-error no pool
  expect(() => guardPool({}, policies())).toThrow(/guardPool: the pool must be an object with connect and query/)
  // @ts-expect-error no policy
  expect(() => guardPool(new Pool(1), undefined)).toThrow(/guardPool: each policy must be/)
})
