import { expect, expectTypeOf, test } from 'vitest'
import { sqliteTransactions } from '../../../src/adapters/sqlite/index.ts'
import { testClock } from '../../../src/testing/test-clock.ts'
import { describeWith } from '../../support/services.ts'
import { watched } from './events.ts'
import { engineError, faulty } from './faulty.ts'
import { type Driver, drivers, type Handle, inFolder, openHandle } from './support.ts'

const opened = (driver: Driver, path = ':memory:'): Handle => {
  const handle = openHandle(driver, path)
  handle.exec('create table if not exists t (x)')
  return handle
}

const rows = (handle: { prepare: Handle['prepare'] }) =>
  (handle.prepare('select x from t order by rowid').all() as { x: number }[]).map(({ x }) => x)
const put = (handle: { exec: Handle['exec'] }, x: number) => handle.exec(`insert into t values (${x})`)

/** A promise and its ends. */
function gate() {
  let open = (): void => {}
  const passed = new Promise<void>((resolve) => {
    open = resolve
  })
  return { passed, open: () => open() }
}

for (const driver of drivers) {
  describeWith(driver, `transactions of a handle of ${driver}`, () => {
    test('commit what resolves, roll back what rejects, and answer what it did', async () => {
      const handle = opened(driver)
      const db = sqliteTransactions(handle)
      expectTypeOf(db.run<number>)
        .parameter(0)
        .parameter(0)
        .toEqualTypeOf<Handle>()
      expect(db.engine).toBe('sqlite')
      expect(
        await db.run(async (tx) => {
          put(tx, 1)
          return 'done'
        }),
      ).toBe('done')
      const mine = new Error('mine')
      await expect(
        db.run(async (tx) => {
          put(tx, 2)
          throw mine
        }),
      ).rejects.toBe(mine)
      await expect(
        db.run(() => {
          put(handle, 3)
          throw mine
        }),
      ).rejects.toBe(mine)
      expect(rows(handle)).toEqual([1])
      handle.close()
    })

    test('wait for one another, in their order, up to a bound', async () => {
      const handle = opened(driver)
      const db = sqliteTransactions(handle, { queued: 2 })
      const same = sqliteTransactions(handle, { queued: 2 })
      const { passed, open } = gate()
      const first = db.run(async (tx) => {
        put(tx, 1)
        await passed
        put(tx, 2)
      })
      const caller = new AbortController()
      const left = watched(same.run(async (tx) => put(tx, 99), { signal: caller.signal }))
      const last = same.run(async (tx) => put(tx, 3))
      await expect(db.run(async (tx) => put(tx, 98))).rejects.toMatchObject({ code: 'QUEUE_FULL', effect: 'none', retry: 'later' })
      caller.abort()
      open()
      await Promise.all([first, last])
      expect(left.outcome()).toMatchObject({ code: 'ABORTED', effect: 'none' })
      expect(rows(handle)).toEqual([1, 2, 3])
      handle.close()
    })

    test('inside one another are refused, and the outer one goes on', async () => {
      const handle = opened(driver)
      const other = opened(driver)
      const db = sqliteTransactions(handle)
      const { passed, open } = gate()
      let later: Promise<unknown> | undefined
      await db.run(async (tx) => {
        put(tx, 1)
        await expect(sqliteTransactions(handle).run(async () => {})).rejects.toMatchObject({ code: 'INVALID_INPUT', effect: 'none' })
        await sqliteTransactions(other).run(async (inner) => {
          put(inner, 1)
          await expect(db.run(async () => {})).rejects.toMatchObject({ code: 'INVALID_INPUT' })
        })
        // Begun here, but run when this one is over.
        later = passed.then(() => db.run(async (next) => put(next, 2)))
      })
      open()
      await later
      expect([rows(handle), rows(other)]).toEqual([[1, 2], [1]])
      for (const each of [handle, other]) each.close()
    })

    test('are rolled back when the signal aborts, once what runs in them is over', async () => {
      const handle = opened(driver)
      const db = sqliteTransactions(handle)
      const caller = new AbortController()
      const { passed, open } = gate()
      const run = watched(
        db.run(
          async (tx) => {
            put(tx, 1)
            await passed
            put(tx, 2)
          },
          { signal: caller.signal },
        ),
      )
      await Promise.resolve()
      caller.abort()
      const next = db.run(async (tx) => put(tx, 3))
      open()
      await next
      expect(run.outcome()).toMatchObject({ code: 'ABORTED', effect: 'none' })
      expect(rows(handle)).toEqual([3])
      await expect(db.run(async () => {}, { signal: caller.signal })).rejects.toMatchObject({ code: 'ABORTED' })
      handle.close()
    })

    test('wait for the lock of others without blocking, and leave the settings of the handle as they are', () =>
      inFolder(async (at) => {
        const clock = testClock()
        const [handle, other] = [opened(driver, at('app.db')), opened(driver, at('app.db'))]
        handle.exec('pragma busy_timeout = 1234')
        const db = sqliteTransactions(handle, { clock, lockedMaxMs: 200 })
        other.exec('begin immediate')
        const refused = watched(db.run(async (tx) => put(tx, 1)))
        await clock.advance(200)
        expect(refused.outcome()).toMatchObject({ code: 'STORAGE_LOCKED', effect: 'none', retry: 'later' })
        const waits = watched(db.run(async (tx) => put(tx, 2)))
        await clock.advance(100)
        other.exec('rollback')
        await clock.advance(16)
        expect(waits.outcome()).not.toBe('pending')
        expect(rows(handle)).toEqual([2])
        expect(Object.values(handle.prepare('pragma busy_timeout').get() as object)).toContain(1234)
        // Without a write-ahead log the commit itself waits for readers.
        other.exec('begin')
        rows(other)
        const commits = watched(db.run(async (tx) => put(tx, 3)))
        await clock.advance(100)
        expect(commits.outcome()).toBe('pending')
        other.exec('commit')
        await clock.advance(16)
        expect(rows(handle)).toEqual([2, 3])
        other.exec('begin')
        rows(other)
        const gaveUp = watched(db.run(async (tx) => put(tx, 4)))
        await clock.advance(200)
        expect(gaveUp.outcome()).toMatchObject({ code: 'STORAGE_LOCKED', effect: 'none', message: expect.stringContaining('rolled back') })
        other.exec('commit')
        expect(rows(handle)).toEqual([2, 3])
        expect(clock.pending).toBe(0)
        for (const each of [handle, other]) each.close()
      }))

    test('whose commit gives no answer, or that were ended inside, are unknown', async () => {
      const engine = faulty(driver)
      engine.handle.exec('create table t (x)')
      const db = sqliteTransactions(engine)
      engine.after = (sql) => (sql === 'COMMIT' ? engineError('SQLITE_IOERR_FSYNC') : undefined)
      await expect(db.run(async (tx) => put(tx, 1))).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE', effect: 'unknown' })
      engine.after = () => undefined
      const ended = db.run(async (tx) => {
        put(tx, 2)
        tx.exec('commit')
      })
      await expect(ended).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE', effect: 'unknown', retry: 'never' })
      await db.run(async (tx) => put(tx, 3))
      expect(rows(engine.handle)).toEqual([1, 2, 3])
      engine.close()
    })

    test('of a closed handle are refused', async () => {
      const handle = opened(driver)
      handle.close()
      await expect(sqliteTransactions(handle).run(async () => {})).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE', effect: 'none' })
      const closing = opened(driver)
      const inside = sqliteTransactions(closing).run(async (tx) => void tx.close())
      await expect(inside).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE', effect: 'unknown' })
    })
  })
}

test('transactions are made of handles only', () => {
  expect(() => sqliteTransactions('a.db' as never)).toThrow(/sqliteTransactions: handle must be a handle/)
  expect(() => sqliteTransactions({ exec: () => {}, prepare: () => ({}) as never }, { queued: -1 })).toThrow(/queued/)
})
