import { randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import { drizzle as drizzleOnPg } from 'drizzle-orm/node-postgres'
import { drizzle as drizzleOnPostgresJs } from 'drizzle-orm/postgres-js'
import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import postgres from 'postgres'
import { expect, test } from 'vitest'
import { pgTransactions, postgresJsTransactions, postgresStorage } from '../../../src/adapters/postgres/index.ts'
import { drizzleTransactions } from '../../../src/integrations/drizzle/index.ts'
import { kyselyTransactions } from '../../../src/integrations/kysely/index.ts'
import { type PrismaSlice, prismaTransactions } from '../../../src/integrations/prisma/index.ts'
import type { Transactions } from '../../../src/ports/transactions.ts'
import { type TransactionsStand, transactionsContract } from '../../../src/testing/contracts/index.ts'
import { prismaClient } from '../../support/probe.ts'
import { availability, describeWith } from '../../support/services.ts'
import { url } from './support.ts'

/** Transactions of one client, and what of it is none. */
interface Client {
  readonly transactions: Transactions<unknown>
  readonly strangers: readonly unknown[]
  readonly end: () => Promise<void>
}

const poolOfPg = (): pg.Pool => new pg.Pool({ connectionString: url, max: 4 })
const sqlOfPostgresJs = () => postgres(url, { max: 4, onnotice: () => {} })

const clients: Readonly<Record<string, () => Promise<Client>>> = {
  pg: async () => {
    const pool = poolOfPg()
    const idle = new pg.Client(url)
    await idle.connect()
    const end = async () => {
      await idle.end()
      await pool.end()
    }
    return { transactions: pgTransactions(pool) as Transactions<unknown>, strangers: [pool, idle], end }
  },
  'postgres.js': async () => {
    const sql = sqlOfPostgresJs()
    return { transactions: postgresJsTransactions(sql) as Transactions<unknown>, strangers: [sql], end: () => sql.end({ timeout: 1 }) }
  },
  'Drizzle on pg': async () => {
    const pool = poolOfPg()
    const db = drizzleOnPg(pool)
    return { transactions: drizzleTransactions(db) as Transactions<unknown>, strangers: [db, pool], end: () => pool.end() }
  },
  'Drizzle on postgres.js': async () => {
    const sql = sqlOfPostgresJs()
    const db = drizzleOnPostgresJs(sql)
    return { transactions: drizzleTransactions(db) as Transactions<unknown>, strangers: [db, sql], end: () => sql.end({ timeout: 1 }) }
  },
  Kysely: async () => {
    const db = new Kysely<object>({ dialect: new PostgresDialect({ pool: poolOfPg() }) })
    return {
      transactions: kyselyTransactions(db) as Transactions<unknown>,
      strangers: [db, db.withSchema('other')],
      end: () => db.destroy(),
    }
  },
  Prisma: async () => {
    type Generated = PrismaSlice<unknown> & { $disconnect(): Promise<void> }
    const { PrismaClient } = (await import(/* @vite-ignore */ prismaClient.href)) as { PrismaClient: new (options: object) => Generated }
    const { PrismaPg } = createRequire(prismaClient)('@prisma/adapter-pg') as { PrismaPg: new (pool: object) => object }
    const client = new PrismaClient({ adapter: new PrismaPg({ connectionString: url, max: 4 }) })
    return { transactions: prismaTransactions(client, { waitMs: 10_000 }), strangers: [client], end: () => client.$disconnect() }
  },
}

/** A schema of its own for each case. */
const standOf = (make: () => Promise<Client>) => async (): Promise<TransactionsStand> => {
  const { transactions, strangers, end } = await make()
  const schema = `hf_tx_${randomBytes(4).toString('hex')}`
  const pool = poolOfPg()
  const storage = postgresStorage(pool, { schema })
  await storage.migrate()
  await storage.open()
  return {
    transactions,
    storage,
    strangers,
    close: async () => {
      await end()
      await storage.close()
      await pool.query(`drop schema "${schema}" cascade`)
      await pool.end()
    },
  }
}

for (const [name, make] of Object.entries(clients)) {
  const need = name === 'Prisma' && availability('postgres').ready ? 'prisma' : 'postgres'
  describeWith(need, `transactions of ${name}`, () => {
    for (const { promise, name, run } of transactionsContract)
      test(`promise ${promise}: ${name}`, () => expect(run(standOf(make))).resolves.toBeUndefined())
  })
}
