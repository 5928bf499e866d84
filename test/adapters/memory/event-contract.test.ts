import { expect, test } from 'vitest'
import { memoryStorage, memoryStore, memoryTransactions } from '../../../src/adapters/memory/index.ts'
import {
  checkpointsContract,
  eventStoreContract,
  notifierContract,
  standTransaction,
  transactionsContract,
} from '../../../src/testing/contracts/index.ts'
import { testClock } from '../../../src/testing/test-clock.ts'

async function make() {
  const clock = testClock()
  const store = memoryStore()
  const storage = () => memoryStorage({ clock, store })
  return {
    store: () => storage().eventStore,
    notifier: () => storage().notifier,
    checkpoints: () => storage().checkpoints,
    transaction: () => standTransaction(memoryTransactions(store)),
    passMs: (ms: number) => clock.advance(ms),
    close: async () => expect(clock.pending).toBe(0),
  }
}

for (const { promise, name, run } of eventStoreContract)
  test(`EventStore ${promise}: ${name}`, async () => {
    await expect(run(make)).resolves.toBeUndefined()
  })

for (const { promise, name, run } of notifierContract)
  test(`Notifier ${promise}: ${name}`, async () => {
    await expect(run(make)).resolves.toBeUndefined()
  })

for (const { promise, name, run } of checkpointsContract)
  test(`Checkpoints ${promise}: ${name}`, async () => {
    await expect(run(make)).resolves.toBeUndefined()
  })

for (const { promise, name, run } of transactionsContract)
  test(`Transactions ${promise}: ${name}`, async () => {
    const stand = async () => {
      const storage = memoryStorage({ clock: testClock() })
      await storage.open()
      return { transactions: memoryTransactions(storage), storage, strangers: [storage, storage.store], close: () => storage.close() }
    }
    await expect(run(stand)).resolves.toBeUndefined()
  })
