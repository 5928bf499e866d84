import type { Sql } from 'postgres'
import { expect, test } from 'vitest'
import { eventStoreContract, standTransaction } from '../../../../src/testing/contracts/index.ts'
import { describeWith } from '../../../support/services.ts'
import { drivers, isJs } from '../support.ts'
import { bench } from './support.ts'

const postgresJsRun =
  (sql: Sql) =>
  <T>(fn: (tx: unknown) => Promise<T>): Promise<T> =>
    sql.begin((tx) => fn(tx)) as Promise<T>

for (const driver of drivers) {
  describeWith('postgres', `the event store of PostgreSQL with ${driver}`, () => {
    const { store, begin, clear, pooled } = bench('events', driver)
    const inTheDriver = () => (isJs(pooled.pool) ? standTransaction({ engine: 'postgres', run: postgresJsRun(pooled.pool) }) : begin())
    const make = async () => {
      await clear()
      return {
        store: () => store(),
        transaction: inTheDriver,
        passMs: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)),
        close: async () => {},
      }
    }
    for (const { promise, name, run } of eventStoreContract) {
      test(`promise ${promise}: ${name}`, async () => {
        await expect(run(make)).resolves.toBeUndefined()
      })
    }
  })
}
