import { describe, expect, test } from 'vitest'
import { type SqliteStorage, sqliteStorage, sqliteTransactions } from '../../../src/adapters/sqlite/index.ts'
import {
  type CheckpointsCase,
  type ContractCase,
  checkpointsContract,
  type EventStoreCase,
  eventStoreContract,
  keyValueContract,
  leaseContract,
  notifierContract,
  type StandTransaction,
  sagaJournalContract,
  standTransaction,
  transactionsContract,
} from '../../../src/testing/contracts/index.ts'
import { testClock } from '../../../src/testing/test-clock.ts'
import { describeWith } from '../../support/services.ts'
import { type Driver, drivers, folder, type Handle, openHandle } from './support.ts'

/** A fresh database, and openings of it. */
interface Ground {
  readonly storage: () => SqliteStorage
  /** On a handle of its own, where there is a file to open twice. */
  readonly transaction?: () => Promise<StandTransaction>
  readonly passMs: (ms: number) => Promise<void>
  readonly close: () => Promise<void>
}

async function byPath(driver: Driver): Promise<Ground> {
  const clock = testClock()
  const { path, remove } = folder()
  const users = usersOf(driver, path('saga.db'))
  return {
    storage: () => sqliteStorage(path('saga.db'), { driver, clock, durability: 'normal' }),
    transaction: users.transaction,
    passMs: (ms) => clock.advance(ms),
    close: async () => {
      users.close()
      remove()
    },
  }
}

async function byHandle(driver: Driver): Promise<Ground> {
  const { path, remove } = folder()
  const ground = on(openHandle(driver, path('saga.db')))
  const users = usersOf(driver, path('saga.db'))
  return {
    ...ground,
    transaction: users.transaction,
    close: async () => {
      await ground.close()
      users.close()
      remove()
    },
  }
}

/** Where there is no file, the handle itself serves all. */
const byHandleInMemory = async (driver: Driver): Promise<Ground> => on(openHandle(driver, ':memory:'))

function on(handle: Handle): Ground {
  const clock = testClock()
  return {
    storage: () => sqliteStorage(handle, { clock, durability: 'normal' }),
    passMs: (ms) => clock.advance(ms),
    close: async () => void handle.close(),
  }
}

/** Handles of the user's: one for each transaction, as a pool would have them. */
function usersOf(driver: Driver, path: string) {
  const handles: Handle[] = []
  return {
    transaction: async () => {
      const handle = openHandle(driver, path)
      handles.push(handle)
      return await standTransaction(sqliteTransactions(handle))
    },
    close: () => {
      for (const handle of handles) handle.close()
    },
  }
}

const ways = { 'a path': byPath, 'a handle': byHandle, 'a handle of a database in memory': byHandleInMemory }

/** An open transaction holds up every write to the file, whatever it is about. */
const CANNOT = new Set<EventStoreCase['needs'] | CheckpointsCase['needs']>(['others'])

type Case<Stand> = ContractCase<() => Promise<Stand>> & Pick<EventStoreCase, 'needs'>

/** Runs a kit on a database that is made anew for each case. */
function run<Stand>(port: string, cases: readonly Case<Stand>[], make: () => Promise<Stand>, cannot = CANNOT): void {
  describe(port, () => {
    for (const { promise, name, needs, run } of cases) {
      if (cannot.has(needs) && needs !== undefined) continue
      test(`promise ${promise}: ${name}`, async () => {
        await expect(run(make)).resolves.toBeUndefined()
      })
    }
  })
}

/** Transactions on a handle of the user's, beside a storage by that way. */
const transactionsOn = (driver: Driver, way: 'a path' | 'a handle') => async () => {
  const { path, remove } = folder()
  const handle = openHandle(driver, path('saga.db'))
  const storage = sqliteStorage(way === 'a path' ? path('saga.db') : handle, way === 'a path' ? { driver, durability: 'normal' } : {})
  await storage.open()
  return {
    transactions: sqliteTransactions(handle),
    storage,
    strangers: [handle, storage],
    close: async () => {
      await storage.close()
      handle.close()
      remove()
    },
  }
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
      // A handle that serves itself has one transaction: that of its owner keeps readers waiting too.
      const cannot = way.endsWith('memory') ? new Set<EventStoreCase['needs']>(['others', 'transactions']) : CANNOT
      const events = make(({ storage, ...rest }) => ({ ...rest, store: () => storage().eventStore }))
      const checkpoints = make(({ storage, ...rest }) => ({ ...rest, checkpoints: () => storage().checkpoints }))
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
      run('EventStore', eventStoreContract, events, cannot)
      run(
        'Notifier',
        notifierContract,
        make(({ storage, ...rest }) => ({ ...rest, notifier: () => storage().notifier })),
      )
      run('Checkpoints', checkpointsContract, checkpoints, cannot)
      if (way === 'a path' || way === 'a handle') run('Transactions', transactionsContract, transactionsOn(driver, way))
    })
  }
}
