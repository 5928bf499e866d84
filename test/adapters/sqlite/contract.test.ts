import { describe, expect, test } from 'vitest'
import { type SqliteHandle, type SqliteStorage, sqliteStorage } from '../../../src/adapters/sqlite/index.ts'
import { type ContractCase, keyValueContract, leaseContract, sagaJournalContract } from '../../../src/testing/contracts/index.ts'
import { testClock } from '../../../src/testing/test-clock.ts'
import { describeWith } from '../../support/services.ts'
import { type Driver, drivers, folder, openHandle } from './support.ts'

/** A fresh database, and openings of it. */
interface Ground {
  readonly storage: () => SqliteStorage
  readonly passMs: (ms: number) => Promise<void>
  readonly close: () => Promise<void>
}

async function byPath(driver: Driver): Promise<Ground> {
  const clock = testClock()
  const { path, remove } = folder()
  return {
    storage: () => sqliteStorage(path('saga.db'), { driver, clock, durability: 'normal' }),
    passMs: (ms) => clock.advance(ms),
    close: async () => remove(),
  }
}

async function byHandle(driver: Driver): Promise<Ground> {
  const { path, remove } = folder()
  const ground = on(openHandle(driver, path('saga.db')))
  return {
    ...ground,
    close: async () => {
      await ground.close()
      remove()
    },
  }
}

/** Where there is no file, the handle itself serves all. */
const byHandleInMemory = async (driver: Driver): Promise<Ground> => on(openHandle(driver, ':memory:'))

function on(handle: SqliteHandle & { close(): unknown }): Ground {
  const clock = testClock()
  return {
    storage: () => sqliteStorage(handle, { clock, durability: 'normal' }),
    passMs: (ms) => clock.advance(ms),
    close: async () => void handle.close(),
  }
}

const ways = { 'a path': byPath, 'a handle': byHandle, 'a handle of a database in memory': byHandleInMemory }

/** Runs a kit on a database that is made anew for each case. */
function run<Stand>(port: string, cases: readonly ContractCase<() => Promise<Stand>>[], make: () => Promise<Stand>): void {
  describe(port, () => {
    for (const { promise, name, run } of cases)
      test(`promise ${promise}: ${name}`, async () => {
        await expect(run(make)).resolves.toBeUndefined()
      })
  })
}

for (const driver of drivers) {
  for (const [way, ground] of Object.entries(ways)) {
    // Installed apart, where a path's driver is not looked for; processes.test.ts loads it as an application does.
    if (way === 'a path' && driver === 'better-sqlite3') continue
    describeWith(driver, `${driver} by ${way}`, () => {
      const make =
        <Stand>(stand: (ground: Ground) => Stand) =>
        async () =>
          stand(await ground(driver))
      run(
        'SagaJournal',
        sagaJournalContract,
        make(({ storage, ...rest }) => ({ ...rest, journal: () => storage().sagaJournal })),
      )
      run(
        'KeyValue',
        keyValueContract,
        make(({ storage, ...rest }) => ({ ...rest, keyValue: () => storage().keyValue })),
      )
      run(
        'Lease',
        leaseContract,
        make(({ storage, ...rest }) => ({ ...rest, lease: () => storage().lease })),
      )
    })
  }
}
