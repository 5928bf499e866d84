import { expect, test } from 'vitest'
import { type SqliteHandle, sqliteStorage } from '../../../src/adapters/sqlite/index.ts'
import { creation, extension, headOf, record } from '../../../src/testing/contracts/journal-store.ts'
import { testClock } from '../../../src/testing/test-clock.ts'
import { describeWith } from '../../support/services.ts'
import { drivers, type Handle, inFolder, openHandle, withStorage } from './support.ts'

const pragma = (handle: SqliteHandle, name: string) => Object.values(handle.prepare(`pragma ${name}`).get() as object)[0]

/** Only what is used of a handle, as an application's own wrapper would give it. */
const wrapped = (handle: Handle): SqliteHandle => ({ exec: (sql) => handle.exec(sql), prepare: (sql) => handle.prepare(sql) })

for (const driver of drivers) {
  describeWith(driver, `a handle of ${driver}`, () => {
    test('stays open and as it was set', async () => {
      await inFolder(async (at) => {
        const handle = openHandle(driver, at('app.db'))
        handle.exec('pragma synchronous = normal; pragma busy_timeout = 1234')
        const storage = sqliteStorage(handle)
        await storage.open()
        await storage.sagaJournal.append([creation('a')])
        await storage.close()
        await storage.close()
        expect([pragma(handle, 'synchronous'), pragma(handle, 'busy_timeout'), pragma(handle, 'journal_mode')]).toEqual([1, 1234, 'delete'])
        expect(handle.prepare('select id from holdfast_saga').all()).toMatchObject([{ id: 'a' }])
        handle.close()
      })
    })

    test('may hold a transaction of its own that only reads, while sagas are written beside it', async () => {
      await inFolder(async (at) => {
        const handle = openHandle(driver, at('app.db'))
        handle.exec('pragma journal_mode = wal; create table t (x)')
        await withStorage(handle, { lockedMaxMs: 0 }, async ({ sagaJournal }) => {
          handle.exec('begin')
          handle.prepare('select * from t').all()
          expect(await sagaJournal.append([creation('a')])).toEqual([{ ok: true }])
          expect(handle.prepare('select count(*) as n from holdfast_saga').get()).toMatchObject({ n: 0 })
          handle.exec('commit')
        })
        handle.close()
      })
    })

    test('serves itself where the database is in memory, and calls wait for a transaction that is open on it', async () => {
      const clock = testClock()
      const handle = openHandle(driver, ':memory:')
      await withStorage(handle, { clock }, async ({ sagaJournal }) => {
        handle.exec('begin; create table mine (x)')
        const outcomes: unknown[] = []
        const append = sagaJournal.append([creation('a')]).then((verdicts) => outcomes.push(verdicts))
        const head = sagaJournal.head('a').then((found) => outcomes.push(found))
        await clock.advance(100)
        expect(outcomes).toEqual([])
        handle.exec('rollback')
        await clock.advance(16)
        await Promise.all([append, head])
        expect(outcomes).toContainEqual([{ ok: true }])
      })
      handle.close()
    })

    test('in a wrapper of the application serves itself', async () => {
      await inFolder(async (at) => {
        const handle = openHandle(driver, at('app.db'))
        handle.exec('pragma synchronous = off')
        await withStorage(wrapped(handle), {}, async ({ sagaJournal }) => {
          expect(await sagaJournal.append([creation('a')])).toEqual([{ ok: true }])
          expect(await sagaJournal.read('a')).toEqual([record(1)])
        })
        expect(handle.prepare('select count(*) as n from holdfast_saga').get()).toMatchObject({ n: 1 })
        expect([pragma(handle, 'synchronous'), pragma(handle, 'journal_mode')]).toEqual([0, 'delete'])
        handle.close()
      })
    })

    test('whose database is full refuses writes without effect, and takes them again when there is room', async () => {
      const handle = openHandle(driver, ':memory:')
      await withStorage(handle, {}, async ({ sagaJournal }) => {
        await sagaJournal.append([creation('a')])
        handle.exec(`pragma max_page_count = ${Number(pragma(handle, 'page_count')) + 1}`)
        const large = [creation('b'), { ...creation('c'), records: [record(1, { data: 'x'.repeat(100_000) })] }]
        await expect(sagaJournal.append(large)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE', effect: 'none', retry: 'later' })
        expect(await sagaJournal.list({})).toEqual([headOf('a')])
        handle.exec('pragma max_page_count = 100000')
        expect(await sagaJournal.append(large)).toEqual([{ ok: true }, { ok: true }])
      })
      handle.close()
    })

    test('that its owner closes leaves a storage that says so', async () => {
      const handle = openHandle(driver, ':memory:')
      const storage = sqliteStorage(handle)
      await storage.open()
      handle.close()
      await expect(storage.sagaJournal.append([creation('a')])).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
      expect(await storage.health()).toMatchObject({ status: 'down', reason: expect.stringContaining('not open') })
      await storage.close()
    })

    test('whose tables are dropped, or contradict themselves, is corrupt', async () => {
      const handle = openHandle(driver, ':memory:')
      await withStorage(handle, {}, async ({ sagaJournal }) => {
        const [claim] = await sagaJournal.claim('one', { shards: 1, leaseMs: 1_000 })
        const fence = claim?.fence ?? { shard: 0, epoch: 0 }
        await sagaJournal.append([creation('a'), extension('a', 2, fence), creation('b')])
        for (const gone of [2, 3]) {
          handle.exec(`delete from holdfast_saga_record where seq = ${gone}`)
          const reason = expect.stringContaining('2 records of 3')
          await expect(sagaJournal.read('a')).rejects.toMatchObject({ code: 'STORAGE_CORRUPT', message: reason })
          handle.exec(`insert into holdfast_saga_record (saga, seq, kind, at_ms, data) values (1, ${gone}, 'again', 0, '')`)
        }
        handle.exec("update holdfast_saga set seq = 2 where id = 'a'")
        const clash = [extension('b', 2, fence), extension('a', 3, fence)]
        await expect(sagaJournal.append(clash)).rejects.toMatchObject({ code: 'STORAGE_CORRUPT', effect: 'none' })
        expect(await sagaJournal.head('b')).toEqual(headOf('b'))
        handle.exec('drop table holdfast_saga_record')
        await expect(sagaJournal.append([creation('c')])).rejects.toMatchObject({ code: 'STORAGE_CORRUPT' })
      })
      handle.close()
    })
  })
}

for (const driver of drivers) {
  describeWith(driver, `a handle of ${driver} under way`, () => {
    test('lets a read that waits for its transaction finish before the storage closes', async () => {
      const clock = testClock()
      const handle = openHandle(driver, ':memory:')
      const storage = sqliteStorage(handle, { clock })
      await storage.open()
      await storage.sagaJournal.append([creation('a')])
      handle.exec('begin')
      const head = storage.sagaJournal.head('a')
      const closed = storage.close()
      handle.exec('commit')
      await clock.advance(32)
      expect(await head).toEqual(headOf('a'))
      await closed
      handle.close()
    })

    test('that is migrated by a newer version in the very moment of opening is refused', async () => {
      const handle = openHandle(driver, ':memory:')
      let others = "create table holdfast_meta (key, value); insert into holdfast_meta values ('application', 'holdfast'), ('schema', '99')"
      const overtaken: SqliteHandle = {
        prepare: (sql) => handle.prepare(sql),
        exec: (sql) => {
          if (sql === 'BEGIN IMMEDIATE') {
            handle.exec(others)
            others = ''
          }
          return handle.exec(sql)
        },
      }
      const opening = sqliteStorage(overtaken).open()
      await expect(opening).rejects.toMatchObject({ code: 'STORAGE_CORRUPT', message: expect.stringContaining('newer version') })
      expect(handle.prepare("select value from holdfast_meta where key = 'schema'").get()).toMatchObject({ value: '99' })
      handle.close()
    })

    test('of a class that opens something else the next time serves itself', async () => {
      await inFolder(async (at) => {
        const Database = openHandle(driver, ':memory:').constructor as new (path: string) => Handle
        let made = 0
        class Numbered extends Database {
          constructor() {
            made += 1
            super(at(`${made}.db`))
          }
        }
        const handle = new Numbered()
        await withStorage(handle, {}, ({ sagaJournal }) => sagaJournal.append([creation('a')]))
        expect(made).toBe(2)
        expect(handle.prepare('select count(*) as n from holdfast_saga').get()).toMatchObject({ n: 1 })
        handle.close()
      })
    })

    test('is waited for while its file is locked, and then served beside it', async () => {
      await inFolder(async (at) => {
        const clock = testClock()
        const [handle, other] = [openHandle(driver, at('app.db')), openHandle(driver, at('app.db'))]
        other.exec('create table t (x); begin exclusive')
        const storage = sqliteStorage(handle, { clock })
        const opened = storage.open()
        await clock.advance(100)
        other.exec('commit')
        await clock.advance(16)
        await opened
        handle.exec('begin')
        expect(await storage.sagaJournal.append([creation('a')])).toEqual([{ ok: true }])
        handle.exec('commit')
        await storage.close()
        for (const each of [handle, other]) each.close()
      })
    })

    test('holds ended sagas apart from the open ones', async () => {
      const handle = openHandle(driver, ':memory:')
      await withStorage(handle, {}, async ({ sagaJournal }) => {
        const [claim] = await sagaJournal.claim('one', { shards: 1, leaseMs: 1_000 })
        const fence = claim?.fence ?? { shard: 0, epoch: 0 }
        const done = extension('b', 2, fence, { state: 'done' })
        await sagaJournal.append([creation('a'), creation('b'), done, { ...creation('c'), state: 'undone' }, creation('d')])
        await sagaJournal.append([extension('d', 2, fence, { state: 'stuck' })])
        const rows = handle.prepare('select id, ended from holdfast_saga order by id').all() as { id: string; ended: number }[]
        expect(rows.map(({ id, ended }) => [id, ended])).toEqual([
          ['a', 0],
          ['b', 1],
          ['c', 1],
          ['d', 0],
        ])
      })
      handle.close()
    })
  })
}

describeWith('better-sqlite3', 'a handle of better-sqlite3 that reads integers as bigints', () => {
  test('gives numbers all the same', async () => {
    const handle = openHandle('better-sqlite3', ':memory:') as Handle & { defaultSafeIntegers: (on: boolean) => void }
    handle.defaultSafeIntegers(true)
    await withStorage(handle, {}, async ({ sagaJournal }) => {
      await sagaJournal.append([creation('a', { version: Number.MAX_SAFE_INTEGER })])
      expect(await sagaJournal.head('a')).toEqual(headOf('a', { version: Number.MAX_SAFE_INTEGER }))
      expect(await sagaJournal.claim('one', { shards: 1, leaseMs: 1_000 })).toEqual([{ fence: { shard: 0, epoch: 1 }, leaseMs: 1_000 }])
    })
    handle.close()
  })
})
