import type pg from 'pg'
import { afterEach, describe, expect, test } from 'vitest'
import { describeWith } from '../../support/services.ts'
import { clientFor, drivers, type Pooled, poolOf } from './support.ts'

const made: Pooled[] = []
afterEach(async () => {
  await Promise.all(made.splice(0).map(({ end }) => end()))
})

describeWith('postgres', 'an answer that does not come', () => {
  describe.each(drivers)('through %s', (driver) => {
    const slow = { text: "select pg_sleep(1)::text, 'awake'" }
    const make = () => {
      const pooled = poolOf(driver)
      made.push(pooled)
      return { pooled, client: clientFor(pooled, { answerMaxMs: 100 }) }
    }

    test('is waited for no longer than answerMaxMs, and what it wrote is unknown', async () => {
      const { client } = make()
      await expect(client.query(slow, [], { call: 'test', writes: true })).rejects.toMatchObject({
        code: 'STORAGE_UNAVAILABLE',
        effect: 'unknown',
        retry: 'later',
      })
      await expect(client.query(slow, [], { call: 'test', writes: false })).rejects.toMatchObject({ effect: 'none' })
    })

    test('of a transaction likewise', async () => {
      const { client } = make()
      const run = client.transaction((connection) => connection.query(slow.text, []), { call: 'test', writes: true })
      await expect(run).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE', effect: 'unknown' })
    })

    test('is waited for where a call may take as long as it likes', async () => {
      const { client } = make()
      await expect(client.query(slow, [], { call: 'test', writes: true, unbounded: true })).resolves.toEqual([['', 'awake']])
    })
  })

  test('costs a pool of pg no place', async () => {
    const pooled = poolOf('pg')
    made.push(pooled)
    const client = clientFor(pooled, { answerMaxMs: 100 })
    await client.query({ text: 'select pg_sleep(1)::text' }, [], { call: 'test', writes: true }).catch(() => {})
    expect((pooled.pool as pg.Pool).totalCount).toBe(0)
  })
})
