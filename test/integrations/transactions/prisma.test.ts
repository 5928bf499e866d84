import { createRequire } from 'node:module'
import { afterAll, beforeAll, beforeEach, expect, expectTypeOf, test } from 'vitest'
import { prismaTransactions } from '../../../src/integrations/prisma/index.ts'
import type { Transactions } from '../../../src/ports/transactions.ts'
import { prismaClient } from '../../support/probe.ts'
import { availability, describeWith } from '../../support/services.ts'
import { cutOff, type Desk, desk, url } from './support.ts'

/** What of the generated client the cases use. */
interface OrderTx {
  readonly order: { create(what: { data: { id: string } }): Promise<unknown> }
  $queryRawUnsafe(text: string): Promise<unknown>
}
interface OrderClient extends OrderTx {
  $transaction<T>(
    fn: (tx: OrderTx) => Promise<T>,
    options?: { isolationLevel?: 'ReadCommitted'; timeout?: number; maxWait?: number },
  ): Promise<T>
  $disconnect(): Promise<void>
}

async function openClient(schema: string): Promise<OrderClient> {
  const { PrismaClient } = (await import(/* @vite-ignore */ prismaClient.href)) as { PrismaClient: new (options: object) => OrderClient }
  const { PrismaPg } = createRequire(prismaClient)('@prisma/adapter-pg') as { PrismaPg: new (pool: object, options: object) => object }
  return new PrismaClient({ adapter: new PrismaPg({ connectionString: url, max: 2 }, { schema }) })
}

const both = availability('postgres').ready ? 'prisma' : 'postgres'

describeWith(both, 'transactions of Prisma', () => {
  let at: Desk
  let client: OrderClient
  let transactions: Transactions<OrderTx>

  beforeAll(async () => {
    at = await desk('hf_prisma')
    await at.pool.query('create table hf_prisma.prisma_orders (id text primary key)')
    client = await openClient('hf_prisma')
    transactions = prismaTransactions(client)
  })
  beforeEach(async () => {
    await at.pool.query('delete from hf_prisma.prisma_orders')
  })
  afterAll(async () => {
    await client.$disconnect()
    await at.close()
  })
  const ids = async () => (await at.pool.query('select id from hf_prisma.prisma_orders order by id')).rows.map(({ id }) => id)

  test('commits what the function did, and answers what it answered', async () => {
    const answer = await transactions.run(async (tx) => {
      await tx.order.create({ data: { id: '1' } })
      return 'done'
    })
    expect([answer, await ids()]).toEqual(['done', ['1']])
  })

  test('rolls back when the function rejects, and rejects with that very error', async () => {
    const mine = new Error('mine')
    const run = transactions.run(async (tx) => {
      await tx.order.create({ data: { id: '1' } })
      throw mine
    })
    await expect(run).rejects.toBe(mine)
    expect(await ids()).toEqual([])
  })

  test('commits nothing when a statement failed and its error was swallowed', async () => {
    const run = transactions.run(async (tx) => {
      await tx.order.create({ data: { id: '1' } })
      await tx.$queryRawUnsafe('select 1/0').catch(() => {})
    })
    await expect(run).rejects.toThrow()
    expect(await ids()).toEqual([])
  })

  test('runs at READ COMMITTED', async () => {
    const level = await transactions.run((tx) => tx.$queryRawUnsafe("select current_setting('transaction_isolation') as level"))
    expect(level).toEqual([{ level: 'read committed' }])
  })

  test('rolls back and leaves at once when the signal aborts', async () => {
    const over = new AbortController()
    const run = transactions.run(
      async (tx) => {
        await tx.order.create({ data: { id: '1' } })
        over.abort()
        await new Promise(() => {})
      },
      { signal: over.signal },
    )
    await expect(run).rejects.toMatchObject({ code: 'ABORTED', effect: 'none' })
    expect(await ids()).toEqual([])
  })

  test('is rolled back when it lasts longer than timeoutMs', async () => {
    const brief = prismaTransactions(client, { timeoutMs: 50 })
    const run = brief.run(async (tx) => {
      await tx.order.create({ data: { id: '1' } })
      await at.pool.query('select pg_sleep(0.2)')
      await tx.order.create({ data: { id: '2' } })
    })
    await expect(run).rejects.toThrow()
    expect(await ids()).toEqual([])
  })

  test('rejects with what the function met when the connection is cut off inside', async () => {
    const run = transactions.run(async (tx) => {
      await tx.order.create({ data: { id: '1' } })
      await cutOff(at)
      await tx.order.create({ data: { id: '2' } })
    })
    await expect(run).rejects.toThrow()
    expect(await ids()).toEqual([])
  })
})

test('the type of a transaction is that of the client', () => {
  expectTypeOf(prismaTransactions<OrderTx>).returns.toEqualTypeOf<Transactions<OrderTx>>()
})

test.each([undefined, null, 3, {}, { $transaction: 1 }])('refuses %s as a client', (rubbish) => {
  expect(() => prismaTransactions(rubbish as never)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }))
})
