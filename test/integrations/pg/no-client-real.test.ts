import type { Pool, PoolClient } from 'pg'
import { describe, expect, test } from 'vitest'
import { bulkhead, circuitBreaker, consecutive, policies, postgresFailures, retry } from '../../../src/index.ts'
import { guardPool } from '../../../src/integrations/pg/index.ts'
import { describeWith } from '../../support/services.ts'
import { deadPort, openOperator, openPool } from './real.ts'

const NAME = 'holdfast_no_client'
const breaks = (failures = 1) => circuitBreaker({ trips: consecutive(failures), classify: postgresFailures })
const noClient = { code: 'TIMEOUT', effect: 'none', retry: 'later' }

describe('pg without a server', () => {
  test.each(['127.0.0.1', 'localhost'])(
    'a closed port of %s is refused in pg’s own words, with effect none, and opens the breaker',
    async (host) => {
      const guarded = guardPool(openPool(NAME, { host, port: await deadPort('closed') }), breaks())
      const outcome = await policies(retry({ attempts: 1 })).tryRun(() => guarded.connect())
      expect(outcome).toMatchObject({ ok: false, error: { code: 'ECONNREFUSED' }, effect: 'none' })
      await expect(guarded.query('select 1')).rejects.toMatchObject({ code: 'BREAKER_OPEN' })
    },
  )

  test('a server that says nothing is TIMEOUT, effect none, to the caller, and opens the breaker all the same', async () => {
    const breaker = breaks(2)
    const guarded = guardPool(openPool(NAME, { port: await deadPort('silent'), connectionTimeoutMillis: 20 }), breaker)
    await expect(guarded.connect()).rejects.toMatchObject({ ...noClient, cause: { message: /connection timeout/ } })
    expect(breaker.state).toBe('closed')
    await expect(guarded.query('select 1')).rejects.toMatchObject(noClient)
    expect(breaker.state).toBe('open')
    expect(guarded.totalCount).toBe(0)
  })

  test('a retry asks again, and its last time-out still has effect none', async () => {
    const guarded = guardPool(
      openPool(NAME, { port: await deadPort('silent'), connectionTimeoutMillis: 20 }),
      retry({ name: 'silent', attempts: 3, delayMs: 0 }),
    )
    await expect(guarded.query('select 1')).rejects.toMatchObject(noClient)
  })
})

/** Only who waits for a client is timed: making a connection may take a busy machine longer. */
const impatient = (pool: Pool): void => {
  pool.options.connectionTimeoutMillis = 20
}

describeWith('postgres', 'pg with a server, but no client', () => {
  test('an exhausted pool is TIMEOUT, effect none, for connect and for query, and counts', async () => {
    const pool = openPool(NAME, { max: 1 })
    const taken = await pool.connect()
    impatient(pool)
    const breaker = breaks(2)
    const guarded = guardPool(pool, breaker)
    await expect(guarded.connect()).rejects.toMatchObject({ ...noClient, cause: { message: /timeout exceeded/ } })
    await expect(guarded.query('select 1')).rejects.toMatchObject(noClient)
    expect([breaker.state, pool.waitingCount]).toEqual(['open', 0])
    taken.release()
  })

  test('is kept from happening by a bulkhead of the pool’s size, which queues and refuses instead', async () => {
    const door = bulkhead({ concurrent: 2, queued: 3 })
    const pool = openPool(NAME, { max: 2, connectionTimeoutMillis: 20_000 })
    const guarded = guardPool(pool, door)
    const calls = await Promise.allSettled(Array.from({ length: 8 }, (_, n) => guarded.query('select $1::int as n', [n])))
    expect(calls.map(({ status }) => status)).toEqual([...Array(5).fill('fulfilled'), ...Array(3).fill('rejected')])
    expect(calls[7]).toMatchObject({ reason: { code: 'BULKHEAD_FULL', effect: 'none' } })
    expect(pool.totalCount).toBe(2)
  })

  test('a query whose first attempt was lost in the server does not claim effect none for the time-out of its second', async () => {
    const operator = await openOperator(NAME)
    const pool = openPool(NAME, { max: 1 })
    const twice = retry({ attempts: 2, delayMs: 0 })
    let taken: Promise<PoolClient> | undefined
    twice.on('retried', () => {
      taken = pool.connect() // somebody else has the only place before the second attempt asks for it
      impatient(pool)
    })
    await operator.lock()
    const refused = expect(guardPool(pool, twice).query(operator.waits)).rejects.toMatchObject({
      name: 'Error',
      message: 'timeout exceeded when trying to connect',
    })
    await operator.terminate(await operator.waiting())
    await refused
    ;(await taken)?.release()
  })
})
