import { symlinkSync } from 'node:fs'
import { expect, test } from 'vitest'
import { type SqliteHandle, type SqliteStorage, sqliteTransactions } from '../../../src/adapters/sqlite/index.ts'
import type { AppendVerdict } from '../../../src/ports/event-store.ts'
import { type TestClock, testClock } from '../../../src/testing/test-clock.ts'
import { describeWith } from '../../support/services.ts'
import { event, logOf, names, one, streamOf, watched, word } from './events.ts'
import { engineError, faulty } from './faulty.ts'
import { type Driver, drivers, type Handle, inFolder, openHandle, withStorage } from './support.ts'

const tokenOf = (verdict: AppendVerdict): string => (verdict.result === 'ok' ? verdict.token : word(verdict))

/** Only what is used of a handle: nothing that tells whether a transaction is open on it. */
const bare = (handle: Handle): SqliteHandle => ({ exec: (sql) => handle.exec(sql), prepare: (sql) => handle.prepare(sql) })

interface Scene {
  readonly storage: SqliteStorage
  /** A handle of the user's on the same file, with a table of theirs. */
  readonly handle: Handle
  readonly clock: TestClock
  readonly at: (name: string) => string
}

const scene = (driver: Driver, body: (scene: Scene) => Promise<void>): Promise<void> =>
  inFolder(async (at) => {
    const clock = testClock()
    const handle = openHandle(driver, at('app.db'))
    handle.exec('pragma journal_mode = wal; create table orders (id)')
    // By a handle, so that each driver serves whatever package it comes from.
    await withStorage(handle, { clock }, (storage) => body({ storage, handle, clock, at }))
    handle.close()
  })

for (const driver of drivers) {
  describeWith(driver, `joined with a handle of ${driver}`, () => {
    test('events, checkpoints and rows of the user commit together, and vanish together', () =>
      scene(driver, async ({ storage: { eventStore, checkpoints }, handle }) => {
        const move = { name: 'p', from: 0n, to: 2n ** 60n + 1n, incarnation: 'x', token: 1 }
        for (const end of ['rollback', 'commit']) {
          handle.exec('begin immediate')
          handle.exec("insert into orders values ('o1')")
          expect(word(await eventStore.join(handle).append(one('a')))).toBe('ok')
          expect(await checkpoints.save(move, { tx: handle })).toEqual({ ok: true })
          expect([names(await logOf(eventStore)), await checkpoints.load('p')]).toEqual([[], undefined])
          handle.exec(end)
          const there = end === 'commit'
          expect(names(await logOf(eventStore))).toEqual(there ? ['a@1'] : [])
          expect((await checkpoints.load('p'))?.position).toBe(there ? 2n ** 60n + 1n : undefined)
          expect(handle.prepare('select count(*) as n from orders').get()).toMatchObject({ n: there ? 1 : 0 })
        }
      }))

    test('are refused without an open transaction, on another file, and with a handle that is closed', () =>
      scene(driver, async ({ storage: { eventStore, checkpoints }, handle, at }) => {
        const elsewhere = openHandle(driver, at('other.db'))
        elsewhere.exec('create table t (x); begin immediate')
        const nowhere = openHandle(driver, ':memory:')
        nowhere.exec('begin immediate')
        const closed = openHandle(driver, at('app.db'))
        closed.close()
        const given: [unknown, RegExp][] = [
          [handle, /one without an open transaction$/],
          [bare(handle), /one without an open transaction$/],
          [elsewhere, /one on another database$/],
          [nowhere, /one on another database$/],
          [closed, /TX_NOT_OPEN|one (that cannot be used|without an open transaction)/],
          ['tx', /no handle$/],
        ]
        for (const [tx, reason] of given) {
          const verdict = await eventStore.join(tx).append(one('a'))
          expect(verdict).toMatchObject({
            result: 'none',
            error: { code: 'TX_NOT_OPEN', effect: 'none', message: expect.stringMatching(reason) },
          })
          const write = { name: 'p', from: 0n, to: 1n, incarnation: 'x', token: 1 }
          await expect(checkpoints.save(write, { tx })).rejects.toMatchObject({ code: 'TX_NOT_OPEN', effect: 'none' })
        }
        expect(handle.prepare('select count(*) as n from holdfast_event').get()).toMatchObject({ n: 0 })
        // Asking did not open or end anything.
        elsewhere.exec('rollback')
        for (const other of [elsewhere, nowhere]) other.close()
      }))

    test('a wrapper that does not tell whether a transaction is open is asked by trying', () =>
      scene(driver, async ({ storage: { eventStore }, handle }) => {
        handle.exec('begin immediate')
        expect(word(await eventStore.join(bare(handle)).append(one('a')))).toBe('ok')
        handle.exec('commit')
        expect(names(await logOf(eventStore))).toEqual(['a@1'])
      }))

    test('the same file by another name is the same file', () =>
      scene(driver, async ({ storage: { eventStore }, at }) => {
        symlinkSync(at('app.db'), at('link.db'))
        const linked = openHandle(driver, at('link.db'))
        linked.exec('begin immediate')
        expect(word(await eventStore.join(linked).append(one('a')))).toBe('ok')
        linked.exec('commit')
        linked.close()
        expect(names(await logOf(eventStore))).toEqual(['a@1'])
      }))

    test('a deferred transaction that has read an older state is refused, and goes on', () =>
      scene(driver, async ({ storage: { eventStore }, handle }) => {
        handle.exec('pragma busy_timeout = 0; begin')
        handle.prepare('select * from orders').all()
        await eventStore.append([one('a')])
        expect(word(await eventStore.join(handle).append(one('a')))).toBe('none STORAGE_LOCKED')
        handle.exec('commit; begin')
        expect(word(await eventStore.join(handle).append(one('a'))), 'one that has not read takes the lock').toBe('ok')
        handle.exec('commit')
        expect(names(await logOf(eventStore))).toEqual(['a@1', 'a@2'])
      }))

    test('a request that fails half-way leaves nothing in the transaction, which goes on', () =>
      scene(driver, async ({ storage: { eventStore }, at }) => {
        const engine = faulty(driver, at('app.db'))
        engine.handle.exec('begin immediate')
        engine.before = (sql, values) =>
          sql.includes('into holdfast_event ') && values.includes('"poison"') ? engineError('SQLITE_TOOBIG') : undefined
        const joined = eventStore.join(bare({ ...engine, close: engine.close }))
        const failed = await joined.append(one('a', { events: [event(1, { tags: ['t'] }), event('poison')], idempotencyKey: 'k' }))
        expect(failed).toMatchObject({ result: 'none', error: { code: 'STORAGE_UNAVAILABLE', effect: 'none' } })
        expect(word(await joined.append(one('b', { idempotencyKey: 'k' })))).toBe('ok')
        engine.handle.exec('commit')
        engine.close()
        expect(names(await logOf(eventStore))).toEqual(['b@1'])
        expect(await eventStore.append([one('c')])).toMatchObject([{ result: 'ok', position: 2n }])
        expect(await logOf(eventStore, { tags: ['t'] })).toEqual([])
      }))

    test('a request that the disk has no room for says that SQLite has rolled everything back', () =>
      scene(driver, async ({ storage: { eventStore }, handle }) => {
        const pages = Number(Object.values(handle.prepare('pragma page_count').get() as object)[0])
        handle.exec(`pragma max_page_count = ${pages + 1}; begin immediate; insert into orders values ('o1')`)
        const large = one('a', { events: [event(1, { tags: ['t'] }), event('x'.repeat(100_000))] })
        const message = expect.stringContaining('rolled the whole transaction back')
        expect(await eventStore.join(handle).append(large)).toMatchObject({
          result: 'none',
          error: { code: 'STORAGE_UNAVAILABLE', effect: 'none', message },
        })
        expect(word(await eventStore.join(handle).append(one('b')))).toBe('none TX_NOT_OPEN')
        handle.exec('pragma max_page_count = 100000; begin immediate')
        expect(word(await eventStore.join(handle).append(one('b')))).toBe('ok')
        handle.exec('commit')
        expect(names(await logOf(eventStore))).toEqual(['b@1'])
        expect(handle.prepare('select count(*) as n from orders').get()).toMatchObject({ n: 0 })
      }))

    test('the token of what was rolled back never resolves, also when another event took its place', () =>
      scene(driver, async ({ storage: { eventStore }, handle, clock }) => {
        handle.exec('begin immediate')
        const lost = await eventStore.join(handle).append(one('a'))
        handle.exec('rollback')
        const waiting = watched(eventStore.waitFor(tokenOf(lost), { timeoutMs: 300 }))
        await clock.advance(110)
        await eventStore.append([one('a')])
        await clock.advance(189)
        expect(waiting.outcome()).toBe('pending')
        await clock.advance(1)
        expect(waiting.outcome()).toMatchObject({ code: 'WAIT_TIMEOUT', effect: 'none' })
        handle.exec('begin immediate')
        const kept = await eventStore.join(handle).append(one('b'))
        const checked = await eventStore.join(handle).append(one('b', { events: [] }))
        handle.exec('commit')
        expect(await eventStore.waitFor(tokenOf(kept))).toBe(2n)
        expect(await eventStore.waitFor(tokenOf(checked)), 'of a write that only checked').toBe(2n)
        await eventStore.tombstone('b')
        expect(await eventStore.waitFor(tokenOf(kept)), 'also when it has been removed since').toBe(2n)
        expect(clock.pending).toBe(0)
      }))

    test('who waits is told of a commit that came right after it had looked', () =>
      inFolder(async (at) => {
        const clock = testClock()
        const engine = faulty(driver, at('log.db'))
        engine.handle.exec('pragma journal_mode = wal')
        await withStorage(engine, { clock }, async ({ eventStore }) => {
          const handle = openHandle(driver, at('log.db'))
          handle.exec('begin immediate')
          const token = tokenOf(await eventStore.join(handle).append(one('a')))
          let looks = 0
          engine.after = (sql) => {
            if (sql.includes("name = 'position'") && looks++ === 0) handle.exec('commit')
            return undefined
          }
          const waiting = watched(eventStore.waitFor(token))
          await clock.advance(100)
          expect(looks).toBeGreaterThan(1)
          expect(waiting.outcome()).toBe(1n)
          handle.close()
        })
        engine.close()
      }))

    test('who waits is told at the commit of sqliteTransactions, without a poll', () =>
      scene(driver, async ({ storage: { eventStore }, handle, clock }) => {
        let token = ''
        const db = sqliteTransactions(handle)
        await db.run(async (tx) => {
          token = tokenOf(await eventStore.join(tx).append(one('a')))
          const waiting = watched(eventStore.waitFor(token))
          await clock.advance(99)
          expect(waiting.outcome()).toBe('pending')
        })
        const waiting = watched(eventStore.waitFor(token))
        await clock.advance(0)
        expect(waiting.outcome()).toBe(1n)
        let second: ReturnType<typeof watched> | undefined
        await db.run(async (tx) => {
          token = tokenOf(await eventStore.join(tx).append(one('a')))
          second = watched(eventStore.waitFor(token))
          await clock.advance(0)
        })
        await clock.advance(0)
        expect(second?.outcome()).toBe(2n)
      }))

    test('an append beside an open transaction waits for its end, and comes after it', () =>
      scene(driver, async ({ storage: { eventStore }, handle, clock }) => {
        handle.exec('begin immediate')
        await eventStore.join(handle).append(one('joined'))
        const asked = watched(eventStore.append([one('other')]))
        await clock.advance(100)
        expect(asked.outcome()).toBe('pending')
        handle.exec('commit')
        await clock.advance(16)
        expect(asked.outcome()).toMatchObject([{ result: 'ok', position: 2n }])
        expect(names(await logOf(eventStore))).toEqual(['joined@1', 'other@1'])
      }))

    test('a handle of a database in memory joins itself', async () => {
      const handle = openHandle(driver, ':memory:')
      const clock = testClock()
      await withStorage(handle, { clock }, async ({ eventStore }) => {
        handle.exec('begin immediate')
        const verdict = await eventStore.join(handle).append(one('a'))
        expect(verdict).toMatchObject({ result: 'ok', versions: [1], position: undefined })
        const waiting = watched(eventStore.waitFor(tokenOf(verdict)))
        await clock.advance(50)
        expect(waiting.outcome(), 'nobody reads in a transaction of the owner').toBe('pending')
        handle.exec('commit')
        await clock.advance(100)
        expect(waiting.outcome()).toBe(1n)
        expect(names(await streamOf(eventStore, 'a'))).toEqual(['a@1'])
      })
      handle.close()
    })
  })
}
