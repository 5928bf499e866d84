// Prepared statements that the server's connection has lost or has already: what a pooler does, and DISCARD ALL.
import type { Sql } from 'postgres'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { postgresJsTransactions } from '../../../src/adapters/postgres/index.ts'
import { statement } from '../../../src/adapters/postgres/statement.ts'
import { asOpenTransaction } from '../../../src/adapters/postgres/transactions/open-transaction.ts'
import { describeWith } from '../../support/services.ts'
import { clientFor, drivers, ownSchema, type Pooled, poolOf } from './support.ts'

describeWith('postgres', 'statements that were prepared and are forgotten', () => {
  const { schema, run } = ownSchema('forgotten')
  const made: Pooled[] = []
  const reads = { call: 'test', writes: false }
  const writes = { call: 'test', writes: true }
  beforeAll(async () => {
    await run(`create schema "${schema}"`)
    await run(`create table "${schema}".book (line text)`)
  })
  afterEach(async () => {
    await run(`truncate "${schema}".book`)
    await Promise.all(made.splice(0).map(({ end }) => end()))
  })
  const one = (driver: (typeof drivers)[number]) => {
    const pooled = poolOf(driver, { max: 1 })
    made.push(pooled)
    return { pooled, client: clientFor(pooled) }
  }
  const write = statement(`insert into "${schema}".book values ($1::text) returning line`)
  const discard = { text: 'deallocate all' }
  const lines = async () => (await run(`select line from "${schema}".book order by 1`)).map(({ line }) => line)

  describe.each(drivers)('with %s', (driver) => {
    test('cost a transaction nothing: neither its statements nor its COMMIT are lost', async () => {
      const { client } = one(driver)
      const numbers = ['1', '2', '3', '4', '5', '6']
      for (const number of numbers) {
        expect(await client.transaction((connection) => connection.query(write, [number]), writes)).toEqual([[number]])
        await client.query(discard, [], reads)
      }
      expect(await lines()).toEqual(numbers)
    })

    test('are not prepared any more where it happens again and again', async () => {
      const { client } = one(driver)
      const numbers = ['1', '2', '3', '4', '5', '6']
      for (const number of numbers) {
        expect(await client.query(write, [number], writes)).toEqual([[number]])
        await client.query(discard, [], reads)
      }
      expect(await lines()).toEqual(numbers)
      await client.query(write, ['7'], writes)
      const held = { text: `select count(*)::text from pg_prepared_statements where statement like '%"${schema}".book%'` }
      expect(await client.query(held, [], reads)).toEqual([['0']])
    })
  })

  test('cost a transaction of the user’s with postgres.js nothing', async () => {
    const { pooled, client } = one('postgres.js')
    const sql = pooled.pool as Sql
    const db = postgresJsTransactions(sql)
    for (const line of ['1', '2', '3']) {
      await db.run((tx) => tx.unsafe(`insert into "${schema}".book values ('${line}')`))
      await client.query(discard, [], reads)
    }
    expect(await lines()).toEqual(['1', '2', '3'])
  })

  test('cost what is joined to an `sql.begin` of the user’s nothing', async () => {
    const { pooled, client } = one('postgres.js')
    const sql = pooled.pool as Sql
    for (const line of ['1', '2', '3']) {
      await sql.begin(async (tx) => {
        await (await asOpenTransaction(tx, '')).query(write.text, [line])
        // Of a name that no connection has prepared before.
        const inner = tx.savepoint(`of_${line}`, async () => {
          throw new Error('back to the savepoint')
        })
        await expect(inner).rejects.toThrow('back to the savepoint')
      })
      await client.query(discard, [], reads)
    }
    expect(await lines()).toEqual(['1', '2', '3'])
  })

  test('leave a transaction of the user’s with postgres.js to its own ends: rolled back, failed, or empty', async () => {
    const { pooled } = one('postgres.js')
    const sql = pooled.pool as Sql
    const db = postgresJsTransactions(sql)
    const failed = db.run(async (tx) => {
      await tx.unsafe(`insert into "${schema}".book values ('never')`)
      throw new Error('no')
    })
    await expect(failed).rejects.toThrow('no')
    await expect(db.run((tx) => tx.unsafe('select 1/0').catch(() => {}))).rejects.toMatchObject({ effect: 'none' })
    expect(await db.run(async () => 'empty')).toBe('empty')
    expect(await lines()).toEqual([])
    // The driver's own `commit`, after those of ours.
    await sql.begin((tx) => tx.unsafe(`insert into "${schema}".book values ('own')`))
    expect(await lines()).toEqual(['own'])
  })
})
