import { expect, test } from 'vitest'
import type { SqliteStorage, SqliteStorageOptions } from '../../../src/adapters/sqlite/index.ts'
import { type TestClock, testClock } from '../../../src/testing/test-clock.ts'
import { describeWith } from '../../support/services.ts'
import { event, logOf, names, one, streamOf, watched, word, words } from './events.ts'
import { engineError, type Faulty, faulty } from './faulty.ts'
import { drivers, type Handle, inFolder, openHandle, withStorage } from './support.ts'

const COMMIT = 'COMMIT'

for (const driver of drivers) {
  const onFaulty = async (
    body: (storage: SqliteStorage, engine: Faulty, clock: TestClock) => Promise<void>,
    options?: SqliteStorageOptions,
  ) => {
    const engine = faulty(driver)
    const clock = testClock()
    await withStorage(engine, { clock, ...options }, (storage) => body(storage, engine, clock))
    engine.close()
  }

  describeWith(driver, `appends with ${driver}`, () => {
    test('that come in one turn of the event loop travel in one transaction, in their order', () =>
      onFaulty(async ({ eventStore }, engine) => {
        const before = engine.count(COMMIT)
        const verdicts = await Promise.all(
          Array.from({ length: 50 }, (_, n) => eventStore.append([one(`s${n % 7}`, { events: [event(n)] })])),
        )
        expect(engine.count(COMMIT)).toBe(before + 1)
        expect(words(verdicts.flat())).toEqual(verdicts.map(() => 'ok'))
        expect((await logOf(eventStore)).map(({ data }) => data)).toEqual(verdicts.map((_, n) => n))
        expect(await eventStore.stats()).toMatchObject({
          batches: 1,
          requests: 50,
          events: 50,
          batchSizeMean: 50,
          batchSizeMax: 50,
          waiting: 0,
        })
      }))

    test('beyond what one transaction takes go on in the next', () =>
      onFaulty(async ({ eventStore }, engine) => {
        const before = engine.count(COMMIT)
        await eventStore.append(Array.from({ length: 600 }, (_, n) => one(`s${n}`)))
        expect(engine.count(COMMIT)).toBe(before + 3)
        const many = Array.from({ length: 1_500 }, () => event())
        await eventStore.append([one('a', { events: many }), one('b', { events: many })])
        expect(engine.count(COMMIT)).toBe(before + 5)
        const large = event('x'.repeat(900_000))
        await eventStore.append(Array.from({ length: 6 }, () => one('c', { events: [large] })))
        expect(engine.count(COMMIT)).toBe(before + 7)
        expect((await eventStore.head()).position).toBe(3_606n)
      }))

    test('that the engine cannot write harm nobody else: the batch is tried in halves', () =>
      onFaulty(async ({ eventStore }, engine) => {
        engine.before = (sql, values) =>
          sql.includes('into holdfast_event ') && values.includes('"poison"') ? engineError('SQLITE_TOOBIG') : undefined
        const requests = Array.from({ length: 40 }, (_, n) =>
          one(`s${n}`, { events: [event(), event(n === 17 || n === 31 ? 'poison' : n)] }),
        )
        const verdicts = await eventStore.append(requests)
        expect(words(verdicts)).toEqual(requests.map((_, n) => (n === 17 || n === 31 ? 'none STORAGE_UNAVAILABLE' : 'ok')))
        const log = await logOf(eventStore)
        expect(log.map(({ position }) => position)).toEqual(log.map((_, n) => BigInt(n + 1)))
        expect(names(log)).toEqual(requests.flatMap((_, n) => (n === 17 || n === 31 ? [] : [`s${n}@1`, `s${n}@2`])))
        const before = engine.count(COMMIT)
        await eventStore.append(Array.from({ length: 40 }, (_, n) => one(`t${n}`)))
        expect(engine.count(COMMIT), 'and then all together again').toBe(before + 1)
      }))

    test('whose commit gives no answer are settled by what the log has', () =>
      onFaulty(async ({ eventStore }, engine) => {
        let failures = 1
        engine.after = (sql) => (sql === COMMIT && failures-- > 0 ? engineError('SQLITE_IOERR_FSYNC') : undefined)
        expect(words(await eventStore.append([one('a'), one('b')])), 'it was written').toEqual(['ok', 'ok'])
        failures = 0
        let lost = 1
        engine.before = (sql) => (sql === COMMIT && lost-- > 0 ? engineError('SQLITE_IOERR_WRITE') : undefined)
        expect(words(await eventStore.append([one('a'), one('b')])), 'it was not, and is tried again').toEqual(['ok', 'ok'])
        lost = 1
        expect(words(await eventStore.append([one('a')])), 'alone it is told').toEqual(['none STORAGE_UNAVAILABLE'])
        expect(names(await logOf(eventStore))).toEqual(['a@1', 'b@1', 'a@2', 'b@2'])
      }))

    test('are unknown where not even that can be read, and asking again with the key is safe', () =>
      onFaulty(async ({ eventStore }, engine) => {
        let failing = true
        engine.after = (sql) => (failing && sql === COMMIT ? engineError('SQLITE_IOERR_FSYNC') : undefined)
        engine.before = (sql) =>
          failing && sql.includes('from holdfast_event where position') ? engineError('SQLITE_IOERR_READ') : undefined
        const request = one('a', { idempotencyKey: 'k' })
        expect(words(await eventStore.append([request]))).toEqual(['unknown STORAGE_UNAVAILABLE'])
        expect((await eventStore.stats()).unknown).toBe(1)
        expect(words(await eventStore.append([one('b'), one('c')])), 'and not tried in halves').toEqual([
          'unknown STORAGE_UNAVAILABLE',
          'unknown STORAGE_UNAVAILABLE',
        ])
        failing = false
        expect(words(await eventStore.append([request]))).toEqual(['duplicate'])
        expect(names(await logOf(eventStore))).toEqual(['a@1', 'b@1', 'c@1'])
      }))

    test('that only check, with a key, are unknown where the commit gives no answer: no event tells of them', () =>
      onFaulty(async ({ eventStore }, engine) => {
        let failures = 1
        engine.after = (sql) => (sql === COMMIT && failures-- > 0 ? engineError('SQLITE_IOERR_FSYNC') : undefined)
        const request = one('a', { events: [], idempotencyKey: 'k' })
        expect(words(await eventStore.append([request]))).toEqual(['unknown STORAGE_UNAVAILABLE'])
        expect(words(await eventStore.append([request]))).toEqual(['duplicate'])
      }))

    test('are refused without effect while the disk is full, nothing half-written, and taken again when there is room', async () => {
      const handle = openHandle(driver, ':memory:')
      const pages = (name: string) => Number(Object.values(handle.prepare(`pragma ${name}`).get() as object)[0])
      await withStorage(handle, {}, async ({ eventStore }) => {
        await eventStore.append([one('a')])
        handle.exec(`pragma max_page_count = ${pages('page_count') + 3}`)
        const large = one('b', { events: [event(), event('x'.repeat(100_000))] })
        const verdicts = await eventStore.append([one('a'), large, one('c', { events: [event(2, { tags: ['t'] })] })])
        expect(words(verdicts)).toEqual(['ok', 'none STORAGE_UNAVAILABLE', 'ok'])
        expect(verdicts[1]).toMatchObject({ error: { effect: 'none', retry: 'later' } })
        expect(names(await logOf(eventStore))).toEqual(['a@1', 'a@2', 'c@1'])
        handle.exec('pragma max_page_count = 100000')
        expect(words(await eventStore.append([large]))).toEqual(['ok'])
        expect(names(await streamOf(eventStore, 'b'))).toEqual(['b@1', 'b@2'])
      })
      handle.close()
    })

    test('are answered when the handle is closed under them', async () => {
      const handle = openHandle(driver, ':memory:')
      await withStorage(handle, {}, async ({ eventStore }) => {
        const asked = eventStore.append([one('a'), one('b')])
        handle.close()
        expect(words(await asked)).toEqual(['none STORAGE_UNAVAILABLE', 'none STORAGE_UNAVAILABLE'])
        await expect(logOf(eventStore)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE', effect: 'none' })
      })
    })
  })
}

describeWith('libsql', 'appends while another connection holds the write lock', () => {
  const scene = (body: (storage: SqliteStorage, other: Handle, clock: TestClock) => Promise<void>, options?: SqliteStorageOptions) =>
    inFolder(async (at) => {
      const clock = testClock()
      await withStorage(at('log.db'), { driver: 'libsql', clock, ...options }, async (storage) => {
        const other = openHandle('libsql', at('log.db'))
        await body(storage, other, clock)
        expect(clock.pending).toBe(0)
        other.close()
      })
    })

  test('wait without blocking, gather, and go together when it is free', () =>
    scene(async ({ eventStore }, other, clock) => {
      other.exec('begin immediate')
      const asked = [watched(eventStore.append([one('a')]))]
      await clock.advance(50)
      asked.push(watched(eventStore.append([one('a')])), watched(eventStore.append([one('b')])))
      await clock.advance(900)
      expect(asked.map(({ outcome }) => outcome())).toEqual(['pending', 'pending', 'pending'])
      expect(await eventStore.stats()).toMatchObject({ waiting: 3, oldestWaitMs: 950, batches: 0 })
      other.exec('commit')
      await clock.advance(16)
      expect(asked.map(({ outcome }) => word((outcome() as never)[0]))).toEqual(['ok', 'ok', 'ok'])
      expect(await eventStore.stats()).toMatchObject({ waiting: 0, oldestWaitMs: 0, batches: 1, batchSizeMax: 3 })
    }))

  test('end at their bound, each at its own, with nothing written', () =>
    scene(async ({ eventStore }, other, clock) => {
      other.exec('begin immediate')
      const long = watched(eventStore.append([one('long')], { timeoutMs: 10_000 }))
      await clock.advance(10)
      const short = watched(eventStore.append([one('short')], { timeoutMs: 100 }))
      await clock.advance(99)
      expect(short.outcome()).toBe('pending')
      await clock.advance(1)
      expect(short.outcome()).toMatchObject([{ result: 'none', error: { code: 'STORAGE_LOCKED', effect: 'none', retry: 'later' } }])
      expect(long.outcome()).toBe('pending')
      other.exec('commit')
      await clock.advance(16)
      expect(long.outcome()).toMatchObject([{ result: 'ok', position: 1n }])
      expect(names(await logOf(eventStore))).toEqual(['long@1'])
    }))

  test('leave at once with their signal, and the others stay', () =>
    scene(async ({ eventStore }, other, clock) => {
      other.exec('begin immediate')
      const caller = new AbortController()
      const leaves = watched(eventStore.append([one('a'), one('', {})], { signal: caller.signal }))
      const stays = watched(eventStore.append([one('b')]))
      await clock.advance(20)
      caller.abort()
      await clock.advance(0)
      expect(words(leaves.outcome() as never)).toEqual(['none ABORTED', 'none INVALID_INPUT'])
      expect(stays.outcome()).toBe('pending')
      other.exec('rollback')
      await clock.advance(16)
      expect(words(stays.outcome() as never)).toEqual(['ok'])
      expect(names(await logOf(eventStore))).toEqual(['b@1'])
    }))

  test('are bounded in number: what is beyond is refused at once', () =>
    scene(
      async ({ eventStore }, other, clock) => {
        other.exec('begin immediate')
        const asked = watched(eventStore.append([one('a'), one('b'), one('c')]))
        const beyond = await eventStore.append([one('d')])
        expect(words(beyond)).toEqual(['none QUEUE_FULL'])
        expect(beyond).toMatchObject([{ error: { effect: 'none', retry: 'later', details: { appendsQueued: 3 } } }])
        other.exec('commit')
        await clock.advance(16)
        expect(words(asked.outcome() as never)).toEqual(['ok', 'ok', 'ok'])
        expect(words(await eventStore.append([one('d')]))).toEqual(['ok'])
      },
      { appendsQueued: 3 },
    ))

  test('are bounded in size', () =>
    scene(async ({ eventStore }, other, clock) => {
      other.exec('begin immediate')
      const large = () => one('a', { events: Array.from({ length: 15 }, () => event('x'.repeat(1_000_000))) })
      const asked = watched(eventStore.append(Array.from({ length: 4 }, large)))
      expect(words(await eventStore.append([large()]))).toEqual(['none QUEUE_FULL'])
      const small = watched(eventStore.append([one('b')]))
      other.exec('rollback')
      await clock.advance(100)
      expect(words([asked.outcome(), small.outcome()].flat() as never)).toEqual(['ok', 'ok', 'ok', 'ok', 'ok'])
    }))

  test('are written before the storage closes, and refused from then on', () =>
    scene(async (storage, other, clock) => {
      const { eventStore } = storage
      other.exec('begin immediate')
      const asked = watched(eventStore.append([one('a')]))
      const closed = watched(storage.close())
      await clock.advance(50)
      expect([asked.outcome(), closed.outcome()]).toEqual(['pending', 'pending'])
      expect(words(await eventStore.append([one('b')]))).toEqual(['none NOT_STARTED'])
      other.exec('commit')
      await clock.advance(32)
      expect(words(asked.outcome() as never)).toEqual(['ok'])
      expect(closed.outcome()).toBeUndefined()
    }))
})
