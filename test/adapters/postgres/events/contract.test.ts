import { expect, test } from 'vitest'
import { eventStoreContract } from '../../../../src/testing/contracts/index.ts'
import { describeWith } from '../../../support/services.ts'
import { drivers } from '../support.ts'
import { bench } from './support.ts'

for (const driver of drivers) {
  describeWith('postgres', `the event store of PostgreSQL with ${driver}`, () => {
    const { store, begin, clear } = bench('events', driver)
    const make = async () => {
      await clear()
      return {
        store: () => store(),
        transaction: () => begin(),
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
