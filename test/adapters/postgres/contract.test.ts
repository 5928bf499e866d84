import { afterAll, beforeAll, describe, test } from 'vitest'
import { postgresStorage } from '../../../src/adapters/postgres/index.ts'
import { sagaJournalContract } from '../../../src/testing/contracts/index.ts'
import { describeWith } from '../../support/services.ts'
import { drivers, ownSchema, poolOf } from './support.ts'

const settings = [
  ['with one connection', { max: 1 }],
  [
    'in a SERIALIZABLE world, with a search_path of rubbish',
    { settings: { default_transaction_isolation: 'serializable', search_path: 'nowhere,"$x"' } },
  ],
] as const

describeWith('postgres', 'the saga journal', () => {
  const { schema, run } = ownSchema('journal')
  let stores = 0

  describe.each(drivers)('with %s', (driver) => {
    describe.each([['by default', {}] as const, ...settings])('%s', (_, options) => {
      const pools: (() => Promise<void>)[] = []
      afterAll(async () => {
        for (const end of pools) await end()
      })
      const place = { schema, prefix: `s${++stores}_` }
      // Two pools, as two processes have.
      const another = () => {
        const { pool, end } = poolOf(driver, options)
        pools.push(end)
        return postgresStorage(pool, place)
      }
      beforeAll(() => another().migrate())
      const make = async () => ({
        journal: () => another().sagaJournal,
        passMs: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)),
        close: async () => {
          for (const end of pools.splice(0)) await end()
          const tables = ['saga', 'saga_record', 'saga_lease', 'saga_fence', 'batch'].map((name) => `"${schema}"."${place.prefix}${name}"`)
          await run(`truncate ${tables.join(', ')}`)
        },
      })
      for (const { promise, name, run: show } of sagaJournalContract) test(`promise ${promise}: ${name}`, () => show(make))
    })
  })
})
