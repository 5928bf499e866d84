import type { drizzle as drizzleOnPg } from 'drizzle-orm/node-postgres'
import type { drizzle as drizzleOnPostgresJs } from 'drizzle-orm/postgres-js'
import type { Kysely, Transaction } from 'kysely'
import type { Database as Libsql } from 'libsql'
import type pg from 'pg'
import type postgres from 'postgres'
import { describe, expectTypeOf, test } from 'vitest'
import type { Checkpoints, CheckpointVerdict, CheckpointWrite } from '../../src/ports/checkpoints.ts'
import type { AppendRequest, AppendVerdict, EventStore, JoinedEvents } from '../../src/ports/event-store.ts'
import type { PoolIsNoTransaction, Transactions } from '../../src/ports/transactions.ts'

interface Tables {
  orders: { id: string }
}
type OnPg = ReturnType<typeof drizzleOnPg>
type OnPostgresJs = ReturnType<typeof drizzleOnPostgresJs>
type Inside<Db extends { transaction(fn: never): unknown }> = Parameters<Parameters<Db['transaction']>[0]>[0]
interface PrismaTx {
  $queryRawUnsafe(text: string): Promise<unknown>
}
interface PrismaClient extends PrismaTx {
  $connect(): Promise<void>
  $transaction<T>(fn: (tx: PrismaTx) => Promise<T>): Promise<T>
}

/** Never called: what compiles is what is tested. */
const compiles = (_check: (store: EventStore, checkpoints: Checkpoints, write: CheckpointWrite) => unknown): void => {}

describe('a pool in the place of a transaction is refused by the compiler', () => {
  test('when events are joined', () =>
    compiles((store) => {
      const join = <T>(tx: T) => tx
      expectTypeOf(store.join(join({} as pg.Pool))).toEqualTypeOf<PoolIsNoTransaction>()
      expectTypeOf(store.join(join({} as postgres.Sql))).toEqualTypeOf<PoolIsNoTransaction>()
      expectTypeOf(store.join(join({} as OnPg))).toEqualTypeOf<PoolIsNoTransaction>()
      expectTypeOf(store.join(join({} as OnPostgresJs))).toEqualTypeOf<PoolIsNoTransaction>()
      expectTypeOf(store.join(join({} as Kysely<Tables>))).toEqualTypeOf<PoolIsNoTransaction>()
      expectTypeOf(store.join(join({} as PrismaClient))).toEqualTypeOf<PoolIsNoTransaction>()
      // @ts-expect-error: nothing can be appended with a pool
      return store.join({} as pg.Pool).append({ writes: [] })
    }))

  test('when a checkpoint is saved', () =>
    compiles(async (_, checkpoints, write) => {
      const verdict = await checkpoints.save(write, { tx: {} as pg.Pool })
      // @ts-expect-error: there is no verdict
      verdict.ok
    }))
})

describe('a transaction is taken', () => {
  test('of every client, and what nobody knows the type of', () =>
    compiles((store) => {
      expectTypeOf(store.join({} as pg.PoolClient)).toEqualTypeOf<JoinedEvents>()
      expectTypeOf(store.join({} as pg.Client)).toEqualTypeOf<JoinedEvents>()
      expectTypeOf(store.join({} as postgres.TransactionSql)).toEqualTypeOf<JoinedEvents>()
      expectTypeOf(store.join({} as Inside<OnPg>)).toEqualTypeOf<JoinedEvents>()
      expectTypeOf(store.join({} as Inside<OnPostgresJs>)).toEqualTypeOf<JoinedEvents>()
      expectTypeOf(store.join({} as Transaction<Tables>)).toEqualTypeOf<JoinedEvents>()
      expectTypeOf(store.join({} as PrismaTx)).toEqualTypeOf<JoinedEvents>()
      expectTypeOf(store.join({} as Libsql)).toEqualTypeOf<JoinedEvents>()
      expectTypeOf(store.join({} as unknown)).toEqualTypeOf<JoinedEvents>()
      // biome-ignore lint/suspicious/noExplicitAny: that is the case
      expectTypeOf(store.join({} as any)).toEqualTypeOf<JoinedEvents>()
    }))

  test('by code that does not know whose it is', () =>
    compiles(async (store, checkpoints, write) => {
      const place = <Tx>(db: Transactions<Tx>) =>
        db.run(async (tx) => [await store.join(tx).append({ writes: [] }), await checkpoints.save(write, { tx })])
      expectTypeOf(place).returns.resolves.toEqualTypeOf<(AppendVerdict | CheckpointVerdict)[]>()
    }))
})

describe('append', () => {
  const request: AppendRequest = { writes: [] }

  test('answers a list that is written down with a verdict for each', () =>
    compiles(async (store) => {
      const [first, second] = await store.append([request, { writes: [{ stream: 'a', expect: 'any', events: [{ type: 't', data: 1 }] }] }])
      expectTypeOf(first).toEqualTypeOf<AppendVerdict>()
      expectTypeOf(second).toEqualTypeOf<AppendVerdict>()
      // @ts-expect-error: two were asked for
      ;(await store.append([request, request]))[2]
    }))

  test('answers any other list with a list', () =>
    compiles(async (store) => {
      const verdicts = await store.append([request].map((each) => ({ ...each, tenant: 'a' })))
      expectTypeOf(verdicts).toExtend<readonly AppendVerdict[]>()
      expectTypeOf(verdicts[0]).toEqualTypeOf<AppendVerdict | undefined>()
    }))

  test('refuses a misspelt option', () =>
    compiles((store) =>
      // @ts-expect-error: it is idempotencyKey
      store.append([{ writes: [], idempotencykey: 'a' }]),
    ))
})
