import { expect, test } from 'vitest'
import { sqliteStorage } from '../../../src/adapters/sqlite/index.ts'
import { type SagaJournalStore, sagaJournalContract } from '../../../src/testing/contracts/index.ts'
import { testClock } from '../../../src/testing/test-clock.ts'
import { describeWith } from '../../support/services.ts'
import { type Driver, drivers, folder, openHandle } from './support.ts'

async function byPath(driver: Driver): Promise<SagaJournalStore> {
  const clock = testClock()
  const { path, remove } = folder()
  return {
    journal: () => sqliteStorage(path('saga.db'), { driver, clock, durability: 'normal' }).sagaJournal,
    passMs: (ms) => clock.advance(ms),
    close: async () => remove(),
  }
}

async function byHandle(driver: Driver): Promise<SagaJournalStore> {
  const clock = testClock()
  const { path, remove } = folder()
  const handle = openHandle(driver, path('saga.db'))
  return {
    journal: () => sqliteStorage(handle, { clock, durability: 'normal' }).sagaJournal,
    passMs: (ms) => clock.advance(ms),
    close: async () => {
      handle.close()
      remove()
    },
  }
}

/** Where there is no file, the handle itself serves all. */
async function byHandleInMemory(driver: Driver): Promise<SagaJournalStore> {
  const clock = testClock()
  const handle = openHandle(driver, ':memory:')
  return {
    journal: () => sqliteStorage(handle, { clock }).sagaJournal,
    passMs: (ms) => clock.advance(ms),
    close: async () => void handle.close(),
  }
}

const ways = { 'a path': byPath, 'a handle': byHandle, 'a handle of a database in memory': byHandleInMemory }

for (const driver of drivers) {
  for (const [way, make] of Object.entries(ways)) {
    // Installed apart, where a path's driver is not looked for; processes.test.ts loads it as an application does.
    if (way === 'a path' && driver === 'better-sqlite3') continue
    describeWith(driver, `${driver} by ${way}`, () => {
      for (const { promise, name, run } of sagaJournalContract) {
        test(`promise ${promise}: ${name}`, async () => {
          await expect(run(() => make(driver))).resolves.toBeUndefined()
        })
      }
    })
  }
}
