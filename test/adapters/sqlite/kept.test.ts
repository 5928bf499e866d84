import { expect, test } from 'vitest'
import { type SqliteStorage, sqliteStorage } from '../../../src/adapters/sqlite/index.ts'
import type { KeyChange } from '../../../src/ports/key-value.ts'
import { type TestClock, testClock } from '../../../src/testing/test-clock.ts'
import { describeWith } from '../../support/services.ts'
import { watched } from './events.ts'
import { engineError, type Faulty, faulty } from './faulty.ts'
import { drivers, inFolder, openHandle, withStorage } from './support.ts'

const HOUR_MS = 3_600_000

interface Followed {
  readonly changes: KeyChange[]
  readonly ended: { outcome: () => unknown }
}

function followed(feed: AsyncIterable<KeyChange>): Followed {
  const changes: KeyChange[] = []
  const read = async (): Promise<string> => {
    for await (const change of feed) changes.push(change)
    return 'done'
  }
  return { changes, ended: watched(read()) }
}

for (const driver of drivers) {
  const onEngine = async (body: (storage: SqliteStorage, engine: Faulty, clock: TestClock) => Promise<void>) => {
    const engine = faulty(driver)
    const clock = testClock()
    await withStorage(engine, { clock }, (storage) => body(storage, engine, clock))
    engine.close()
  }
  const count = ({ handle }: Faulty, table: string) =>
    Number((handle.prepare(`select count(*) as n from ${table}`).get() as { n: number }).n)

  describeWith(driver, `keys, names and hints with ${driver}`, () => {
    test('keys whose time is over, and word of those that are gone, are cleared away by later writes', () =>
      onEngine(async ({ keyValue }, engine, clock) => {
        for (let n = 0; n < 30; n++) await keyValue.put(`k${n}`, 'x', { ttlMs: 100 })
        await clock.advance(100)
        expect(await keyValue.list()).toEqual([])
        for (let n = 0; n < 15; n++) await keyValue.put('other', String(n))
        expect([count(engine, 'holdfast_key_value'), count(engine, 'holdfast_key_gone')]).toEqual([1, 30])
        await clock.advance(HOUR_MS + 1)
        for (let n = 0; n < 8; n++) await keyValue.put('other', String(n))
        expect(count(engine, 'holdfast_key_gone')).toBe(0)
        expect(await keyValue.get('other')).toMatchObject({ value: '7' })
      }))

    test('names whose time is over are cleared away, and their tokens never come back', () =>
      onEngine(async ({ lease }, engine, clock) => {
        for (let n = 0; n < 20; n++) await lease.acquire(`n${n}`, 'one', { ttlMs: 100 })
        await clock.advance(100)
        for (let n = 0; n < 10; n++) await lease.acquire('other', 'one', { ttlMs: 100 })
        expect(count(engine, 'holdfast_name')).toBe(1)
        expect(await lease.acquire('n3', 'two', { ttlMs: 100 })).toMatchObject({ token: 22 })
      }))

    test('a counter that is gone is damage, and is said to be', () =>
      onEngine(async ({ keyValue, lease, notifier }, { handle }) => {
        handle.exec("delete from holdfast_counter where name <> 'position'")
        const missing = (name: string) => ({
          code: 'STORAGE_CORRUPT',
          effect: 'none',
          retry: 'never',
          message: expect.stringContaining(`the counter ${name} is missing`),
        })
        await expect(keyValue.put('a', 'x')).rejects.toMatchObject(missing('revision'))
        await expect(lease.acquire('a', 'one', { ttlMs: 100 })).rejects.toMatchObject(missing('token'))
        await expect(notifier.notify('a')).rejects.toMatchObject(missing('hint'))
        const changes = keyValue.watch('')[Symbol.asyncIterator]()
        await expect(changes.next()).rejects.toMatchObject(missing('revision'))
      }))

    test('hints of one turn of the event loop are written together, and forgotten after a day', () =>
      onEngine(async ({ notifier }, engine, clock) => {
        const before = engine.count('COMMIT')
        const listener = await notifier.listen('b')
        const reads = engine.count('COMMIT')
        await Promise.all(['a', 'b', 'a', 'c'].map((topic) => notifier.notify(topic)))
        expect([reads - before, engine.count('COMMIT') - reads]).toEqual([1, 1])
        expect(await listener.wait(0)).toBe(true)
        expect(await listener.wait(0)).toBe(false)
        await clock.advance(24 * HOUR_MS + 1)
        await notifier.notify('d')
        expect(count(engine, 'holdfast_hint')).toBe(1)
        expect(await listener.wait(0), 'for nothing').toBe(true)
        await notifier.notify('b')
        expect(await listener.wait(0)).toBe(true)
        expect(clock.pending).toBe(0)
      }))

    test('a write that the engine refuses leaves the key and its revision as they were', () =>
      onEngine(async ({ keyValue, lease, notifier }, engine) => {
        const put = await keyValue.put('a', 'x')
        engine.before = (sql) => (sql === 'COMMIT' ? engineError('SQLITE_FULL') : undefined)
        const refused = { code: 'STORAGE_UNAVAILABLE', effect: 'none', retry: 'later' }
        await expect(keyValue.put('a', 'y')).rejects.toMatchObject(refused)
        await expect(keyValue.delete('a')).rejects.toMatchObject(refused)
        await expect(lease.acquire('n', 'one', { ttlMs: 100 })).rejects.toMatchObject(refused)
        await expect(notifier.notify('t')).rejects.toMatchObject(refused)
        engine.before = () => undefined
        expect(await keyValue.get('a')).toEqual({ key: 'a', value: 'x', revision: put.ok ? put.revision : 0 })
        engine.after = (sql) => (sql === 'COMMIT' ? engineError('SQLITE_IOERR_FSYNC') : undefined)
        await expect(keyValue.put('a', 'z')).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE', effect: 'unknown' })
        engine.after = () => undefined
        expect(await keyValue.get('a')).toMatchObject({ value: 'z' })
      }))
  })
}

describeWith('libsql', 'a watch', () => {
  test('is told by looking every pollMs, with one timer, and with none once nobody watches', () =>
    inFolder(async (at) => {
      const clock = testClock()
      const options = { driver: 'libsql', clock, pollMs: 60 } as const
      await withStorage(at('kv.db'), options, ({ keyValue }) =>
        withStorage(at('kv.db'), options, async ({ keyValue: other }) => {
          const caller = new AbortController()
          const [one, two] = [followed(keyValue.watch('', caller.signal)), followed(keyValue.watch('b', caller.signal))]
          await clock.advance(0)
          // Of looking, and of the keys that end.
          expect(clock.pending).toBe(2)
          await other.put('a', '1')
          await clock.advance(59)
          expect(one.changes).toEqual([])
          await clock.advance(1)
          expect(one.changes.map(({ key, entry }) => [key, entry?.value])).toEqual([['a', '1']])
          await keyValue.put('b', '2')
          await clock.advance(0)
          expect([one.changes.length, two.changes.length]).toEqual([2, 1])
          caller.abort()
          await clock.advance(0)
          expect([one.ended.outcome(), two.ended.outcome()]).toEqual(['done', 'done'])
          expect(clock.pending).toBe(0)
        }),
      )
    }))

  test('that slept while word of gone keys was cleared away says so, instead of leaving one out', () =>
    inFolder(async (at) => {
      const [asleep, awake] = [testClock(), testClock()]
      await withStorage(at('kv.db'), { driver: 'libsql', clock: asleep }, ({ keyValue }) =>
        withStorage(at('kv.db'), { driver: 'libsql', clock: awake }, async ({ keyValue: other }) => {
          await other.put('a', '1')
          const watch = followed(keyValue.watch(''))
          await asleep.advance(0)
          await other.delete('a')
          await awake.advance(HOUR_MS + 1)
          await other.put('b', '1')
          await asleep.advance(100)
          expect(watch.ended.outcome()).toMatchObject({ code: 'QUEUE_FULL', effect: 'none', message: expect.stringContaining('list them') })
          const again = followed(keyValue.watch(''))
          await other.put('b', '2')
          await asleep.advance(100)
          expect(again.changes).toMatchObject([{ key: 'b', entry: { value: '2' } }])
        }),
      )
    }))

  test('goes on while another connection holds the write lock, and tells of ended keys when it is free', () =>
    inFolder(async (at) => {
      const clock = testClock()
      await withStorage(at('kv.db'), { driver: 'libsql', clock, lockedMaxMs: 300 }, async ({ keyValue }) => {
        await keyValue.put('a', '1', { ttlMs: 1_000 })
        const watch = followed(keyValue.watch(''))
        const other = openHandle('libsql', at('kv.db'))
        other.exec('begin immediate')
        await clock.advance(2_000)
        expect([watch.changes, watch.ended.outcome()]).toEqual([[], 'pending'])
        expect(await keyValue.get('a')).toBeUndefined()
        other.exec('commit')
        other.close()
        await clock.advance(600)
        expect(watch.changes).toEqual([{ key: 'a' }])
      })
    }))

  test('of a storage that was never opened, or is closed, says so', async () => {
    const storage = sqliteStorage(':memory:', { driver: 'libsql' })
    const watch = followed(storage.keyValue.watch(''))
    await new Promise((resolve) => setImmediate(resolve))
    expect(watch.ended.outcome()).toMatchObject({ code: 'NOT_STARTED', effect: 'none' })
  })
})
