import { expect, test } from 'vitest'
import { tenantEvents } from '../../../src/cqrs/index.ts'
import { eventStoreContract, type MakeEventStore, standTransaction } from '../../../src/testing/contracts/index.ts'
import { world } from './support.ts'

/** Every event is about somebody: by its type, so that the same request is about the same one again. */
const shredded: MakeEventStore = async () => {
  const { clock, events, transactions } = world({ subjectOf: ({ type }) => `subject ${String(type).slice(0, 20)}` })
  return {
    store: events,
    transaction: () => standTransaction(transactions),
    passMs: (ms) => clock.advance(ms),
    close: async () => expect(clock.pending).toBe(0),
  }
}

const ofOneTenant: MakeEventStore = async () => {
  const { clock, plain, transactions } = world()
  return {
    store: () => tenantEvents(plain(), 'one'),
    transaction: () => standTransaction(transactions),
    passMs: (ms) => clock.advance(ms),
    close: async () => {},
  }
}

// Encrypted data are a third longer, and a bound on them is reached earlier.
const longer = 'takes what is just within its bounds, and gives it back'

for (const { promise, name, run } of eventStoreContract.filter((one) => one.name !== longer))
  test(`an encrypted store keeps promise ${promise}: ${name}`, async () => {
    await expect(run(shredded)).resolves.toBeUndefined()
  })

/** These name tenants, which is what a view of one refuses, or read of their absence. */
const tenants =
  /tenant|whole log|filters by types|holds up who asks|just within its bounds|a malformed request|as it was handed in|byte for byte/

for (const { promise, name, run } of eventStoreContract.filter((one) => !tenants.test(one.name)))
  test(`a view of one tenant keeps promise ${promise}: ${name}`, async () => {
    await expect(run(ofOneTenant)).resolves.toBeUndefined()
  })
