import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { type SqliteStorage, sqliteStorage } from '../../../src/adapters/sqlite/index.ts'
import { testClock } from '../../../src/testing/test-clock.ts'
import { describeWith } from '../../support/services.ts'
import { event, logOf, names, one, streamOf, watched, words } from './events.ts'
import { faulty } from './faulty.ts'
import { drivers, inFolder, openHandle, withStorage } from './support.ts'

const DAY_MS = 86_400_000

async function all<T>(of: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const batch of of) found.push(batch)
  return found
}

for (const driver of drivers) {
  const inMemory = async (body: (storage: SqliteStorage, handle: ReturnType<typeof openHandle>) => Promise<void>) => {
    const handle = openHandle(driver, ':memory:')
    await withStorage(handle, {}, (storage) => body(storage, handle))
    handle.close()
  }

  describeWith(driver, `reading with ${driver}`, () => {
    test('gives the event loop a turn between steps, and ends a batch at 16 MiB of JSON', () =>
      inMemory(async ({ eventStore }) => {
        for (let n = 0; n < 3; n++)
          await eventStore.append([one('a', { events: Array.from({ length: 13 }, () => event('x'.repeat(1_000_000))) })])
        let turns = 0
        let running = true
        const spin = () => {
          turns += 1
          if (running) setImmediate(spin)
        }
        setImmediate(spin)
        const found = await all(eventStore.readAll())
        running = false
        expect(found.map(({ events }) => events.length)).toEqual([20, 19])
        // Four events are a step of 4 MiB: five steps to a batch.
        expect(turns).toBeGreaterThanOrEqual(8)
        const sizes: number[] = []
        for await (const batch of eventStore.readStream('a', { backwards: true })) sizes.push(batch.length)
        expect(sizes).toEqual([20, 19])
      }))

    test('fills a batch over several steps, in order, both ways', () =>
      inMemory(async ({ eventStore }) => {
        for (let n = 0; n < 5; n++)
          await eventStore.append([one('a', { events: Array.from({ length: 500 }, (_, i) => event(n * 500 + i)) })])
        for (const batch of [1, 999, 1_000, 1_001, 2_400, 10_000]) {
          if (batch > 1) expect((await all(eventStore.readAll({ batch })))[0]?.events.length).toBe(Math.min(batch, 2_500))
          const forth: unknown[] = []
          for await (const events of eventStore.readStream('a', { batch, fromVersion: 2, toVersion: 2_499 }))
            forth.push(...events.map(({ data }) => data))
          expect(forth).toEqual(Array.from({ length: 2_498 }, (_, i) => i + 1))
        }
        const back: unknown[] = []
        for await (const events of eventStore.readStream('a', { batch: 1_700, backwards: true }))
          back.push(...events.map(({ version }) => version))
        expect(back).toEqual(Array.from({ length: 2_500 }, (_, i) => 2_500 - i))
      }))

    test('finds by the rarest tag, by types, by all of them, for one tenant or for all', () =>
      inMemory(async ({ eventStore }) => {
        const requests = Array.from({ length: 300 }, (_, n) =>
          one(`s${n % 5}`, {
            tenant: n % 3 === 0 ? 'other' : '',
            events: [event(n, { type: `t${n % 4}`, tags: ['all', `n:${n % 10}`, ...(n === 100 ? ['rare'] : [])] })],
          }),
        )
        await eventStore.append(requests)
        const found = async (read: Parameters<typeof eventStore.readAll>[0]) => (await logOf(eventStore, read)).map(({ data }) => data)
        const expected = (holds: (n: number) => boolean) => Array.from({ length: 300 }, (_, n) => n).filter(holds)
        const mine = (n: number) => n % 3 !== 0
        expect(await found({ tags: ['all', 'rare'] })).toEqual([100])
        expect(await found({ tags: ['n:3', 'all'] })).toEqual(expected((n) => mine(n) && n % 10 === 3))
        expect(await found({ tags: ['n:3', 'all'], types: ['t1', 't9'], tenant: '*' })).toEqual(
          expected((n) => n % 10 === 3 && n % 4 === 1),
        )
        expect(await found({ types: ['t2'], tenant: 'other', after: 50n })).toEqual(expected((n) => !mine(n) && n % 4 === 2 && n >= 50))
        expect(await found({ tags: ['n:3', 'n:4'] })).toEqual([])
        expect(await found({ types: [] })).toEqual([])
        expect(await found({ tenant: '*' })).toHaveLength(300)
      }))

    test('tells how far it has looked where a filter lets nothing through', () =>
      inMemory(async ({ eventStore }, handle) => {
        await eventStore.append([one('a')])
        handle.exec(`with recursive n (i) as (select 2 union all select i + 1 from n where i < 600000)
          insert into holdfast_event (position, stream, version, type, size, recorded_ms, id, tags, metadata, data)
          select i, 1, i, 1, 3, 0, 'x', '', '{}', '1' from n;
          update holdfast_counter set value = 600000 where name = 'position'; update holdfast_stream set version = 600000`)
        const found = await all(eventStore.readAll({ types: ['never'] }))
        expect(found.map(({ events, scannedTo }) => [events.length, scannedTo])).toEqual([
          [0, 510_000n],
          [0, 600_000n],
        ])
      }))

    test.each([
      ['data', 'update holdfast_event set data = \'{"a":\' where position = 2'],
      ['metadata', "update holdfast_event set metadata = 'x' where position = 2"],
      ['tags', "update holdfast_event set tags = '[1' where position = 2"],
    ])('says which event has damaged %s, and reads those before it', (column, damage) =>
      inMemory(async ({ eventStore }, handle) => {
        await eventStore.append([one('a', { events: [event(1), event(2), event(3)] })])
        handle.exec(damage)
        const reason = {
          code: 'STORAGE_CORRUPT',
          effect: 'none',
          message: expect.stringContaining(`the ${column} of the event at position 2`),
        }
        await expect(logOf(eventStore)).rejects.toMatchObject(reason)
        await expect(streamOf(eventStore, 'a')).rejects.toMatchObject(reason)
        const [first] = await all(eventStore.readAll({ batch: 1 })).catch(() => [])
        expect(first).toBeUndefined()
        for await (const { events } of eventStore.readAll({ batch: 1 })) {
          expect(events.map(({ data }) => data)).toEqual([1])
          break
        }
        const conflict = await eventStore.append([{ writes: [{ stream: 'a', expect: 'none', events: [event()] }] }, one('b')])
        expect(words(conflict), 'a verdict that has to show it is refused alone').toEqual(['none STORAGE_CORRUPT', 'ok'])
      }),
    )

    test.each([
      ['metadata', "update holdfast_event set metadata = '[1]' where position = 1"],
      ['metadata', "update holdfast_event set metadata = 'null' where position = 1"],
      ['tags', "update holdfast_event set tags = '5' where position = 1"],
      ['tags', "update holdfast_event set tags = '{}' where position = 1"],
      ['tags', "update holdfast_event set tags = '[1]' where position = 1"],
    ])('refuses %s that are JSON of another kind: %s', (column, damage) =>
      inMemory(async ({ eventStore }, handle) => {
        await eventStore.append([one('a')])
        handle.exec(damage)
        const reason = { code: 'STORAGE_CORRUPT', message: expect.stringContaining(`the ${column} of the event at position 1`) }
        await expect(logOf(eventStore)).rejects.toMatchObject(reason)
        await expect(streamOf(eventStore, 'a')).rejects.toMatchObject(reason)
      }),
    )

    test('a conflict leaves no hole in what it tells, also where one of its queries has more JSON than is read at once', () =>
      inMemory(async ({ eventStore }) => {
        const large = Array.from({ length: 10 }, () => event('x'.repeat(900_000), { tags: ['large'] }))
        await eventStore.append([
          one('a', { events: large }),
          one('a', { events: large }),
          one('b', { events: [event(1, { tags: ['small'] })] }),
        ])
        const condition = { queries: [{ tags: ['large'] }, { tags: ['small'] }], after: 0n }
        const [verdict] = await eventStore.append([one('c', { condition })])
        const told = verdict.result === 'conflict' ? verdict.missed.map(({ position }) => Number(position)) : []
        expect(told).toEqual(Array.from({ length: 18 }, (_, n) => n + 1))
        expect(verdict).toMatchObject({ truncated: true })
      }))

    test('tags that are no JSON stop also whoever looks into them in the engine', () =>
      inMemory(async ({ eventStore }, handle) => {
        await eventStore.append([one('a', { events: [event(1, { tags: ['red', 'round'] })] })])
        handle.exec("update holdfast_event set tags = '[1'")
        await expect(logOf(eventStore, { tags: ['red', 'round'], tenant: '*' })).rejects.toMatchObject({
          code: 'STORAGE_CORRUPT',
          effect: 'none',
          retry: 'never',
        })
      }))

    test.each(['x', '5', '["1"]', '[1.5]'])('a kept answer whose versions are %s is refused alone', (versions) =>
      inMemory(async ({ eventStore }, handle) => {
        await eventStore.append([one('a', { idempotencyKey: 'k' })])
        handle.prepare('update holdfast_append_key set versions = ?').run(versions)
        const verdicts = await eventStore.append([one('a', { idempotencyKey: 'k' }), one('b')])
        expect(words(verdicts)).toEqual(['none STORAGE_CORRUPT', 'ok'])
      }),
    )

    test.each([
      ["delete from holdfast_counter where name = 'position'", 'the counter of positions'],
      ["delete from holdfast_meta where key = 'incarnation'", 'the incarnation of the log'],
    ])('says what is missing after: %s', (damage, what) =>
      inMemory(async ({ eventStore }, handle) => {
        const [written] = await eventStore.append([one('a')])
        handle.exec(damage)
        const reason = { code: 'STORAGE_CORRUPT', effect: 'none', retry: 'never', message: expect.stringContaining(what) }
        await expect(logOf(eventStore)).rejects.toMatchObject(reason)
        await expect(eventStore.head()).rejects.toMatchObject(reason)
        await expect(eventStore.waitFor(written?.result === 'ok' ? written.token : '')).rejects.toMatchObject(reason)
        expect(words(await eventStore.append([one('b')]))).toEqual(['none STORAGE_CORRUPT'])
      }),
    )

    test.each([1, 3, 5])('says that event %i of a stream is missing, instead of leaving it out', (version) =>
      inMemory(async ({ eventStore }, handle) => {
        await eventStore.append([one('a', { events: [1, 2, 3, 4, 5].map((n) => event(n)) })])
        handle.exec(`delete from holdfast_event where version = ${version}`)
        const missing = {
          code: 'STORAGE_CORRUPT',
          effect: 'none',
          message: expect.stringContaining('of stream 1 between its versions 1 and 5'),
        }
        await expect(streamOf(eventStore, 'a')).rejects.toMatchObject(missing)
        for (const backwards of [false, true])
          await expect(all(eventStore.readStream('a', { batch: 2, backwards }))).rejects.toMatchObject({ code: 'STORAGE_CORRUPT' })
        const stale = await eventStore.append([{ writes: [{ stream: 'a', expect: 'none', events: [event()] }] }])
        expect(words(stale)).toEqual(['none STORAGE_CORRUPT'])
      }),
    )

    test('says that a type is missing, instead of leaving its events out', () =>
      inMemory(async ({ eventStore }, handle) => {
        await eventStore.append([one('a', { events: [event(1), event(2, { type: 'other' }), event(3)] })])
        handle.exec("delete from holdfast_event_type where name = 'other'")
        await expect(logOf(eventStore)).rejects.toMatchObject({ code: 'STORAGE_CORRUPT', message: expect.stringContaining('of 3 events') })
        await expect(streamOf(eventStore, 'a')).rejects.toMatchObject({ code: 'STORAGE_CORRUPT' })
      }))

    test('keeps idempotency keys for keysKeptDays, and clears away what is over in small steps', async () => {
      const clock = testClock()
      const handle = openHandle(driver, ':memory:')
      const kept = () => Number((handle.prepare('select count(*) as n from holdfast_append_key').get() as { n: number }).n)
      await withStorage(handle, { clock, keysKeptDays: 2 }, async ({ eventStore }) => {
        const keyed = (n: number, stream = `s${n}`) => one(stream, { idempotencyKey: `k${n}` })
        await eventStore.append(Array.from({ length: 20 }, (_, n) => keyed(n)))
        await clock.advance(2 * DAY_MS)
        expect(words(await eventStore.append([keyed(0), keyed(1, 'other')]))).toEqual(
          ['duplicate', 'none'].map((w, n) => (n === 0 ? w : 'none KEY_REUSED')),
        )
        await clock.advance(1)
        expect(words(await eventStore.append([keyed(0, 'other')])), 'a new key by then').toEqual(['ok'])
        expect(words(await eventStore.append([keyed(0, 'other')]))).toEqual(['duplicate'])
        expect(kept(), 'one came, two went').toBe(18)
        for (let n = 100; n < 120; n++) await eventStore.append([keyed(n)])
        expect(kept()).toBe(21)
      })
      handle.close()
    })
  })

  describeWith(driver, `removing with ${driver}`, () => {
    const rows = (handle: ReturnType<typeof openHandle>, table: string) =>
      Number((handle.prepare(`select count(*) as n from ${table}`).get() as { n: number }).n)

    test('takes the rows away, those of tags too, in several transactions', () =>
      inMemory(async ({ eventStore }, handle) => {
        const many = Array.from({ length: 1_200 }, (_, n) => event(n, { tags: ['t', `n:${n}`] }))
        await eventStore.append([one('a', { events: many }), one('b', { events: [event(0, { tags: ['t'] })] })])
        await eventStore.truncate('a', { beforeVersion: 1_101 })
        expect([rows(handle, 'holdfast_event'), rows(handle, 'holdfast_event_tag')]).toEqual([101, 201])
        await eventStore.tombstone('a')
        expect([rows(handle, 'holdfast_event'), rows(handle, 'holdfast_event_tag')]).toEqual([1, 1])
        expect(names(await logOf(eventStore, { tags: ['t'] }))).toEqual(['b@1'])
        expect(await eventStore.append([one('c')])).toMatchObject([{ result: 'ok', position: 1_202n }])
      }))

    test('is seen at once, and a process that died in between leaves nothing behind for good', async () => {
      const engine = faulty(driver)
      await withStorage(engine, {}, async ({ eventStore }) => {
        await eventStore.append([one('a', { events: Array.from({ length: 9 }, () => event(0, { tags: ['t'] })) })])
        engine.before = (sql) => (sql.startsWith('delete from holdfast_event ') ? new Error('died') : undefined)
        await eventStore.truncate('a', { beforeVersion: 5 })
        expect(rows(engine.handle, 'holdfast_event')).toBe(9)
        for (const seen of [await streamOf(eventStore, 'a'), await logOf(eventStore), await logOf(eventStore, { tags: ['t'] })])
          expect(names(seen)).toEqual(['a@5', 'a@6', 'a@7', 'a@8', 'a@9'])
        const stale = await eventStore.append([{ writes: [{ stream: 'a', expect: 2, events: [] }] }])
        expect(stale).toMatchObject([{ result: 'conflict', actual: 9, truncated: false }])
        expect(stale[0]?.result === 'conflict' && names(stale[0].missed)).toEqual(['a@5', 'a@6', 'a@7', 'a@8', 'a@9'])
      })
      engine.before = () => undefined
      await withStorage(engine, {}, async ({ eventStore }) => {
        expect([rows(engine.handle, 'holdfast_event'), rows(engine.handle, 'holdfast_event_tag')]).toEqual([5, 5])
        expect(names(await streamOf(eventStore, 'a'))).toHaveLength(5)
      })
      engine.close()
    })
  })
}

describeWith('libsql', 'a log', () => {
  test('with a damaged page says so where it is read, and gives nothing wrong before', () =>
    inFolder(async (at) => {
      await withStorage(at('log.db'), { driver: 'libsql' }, ({ eventStore }) =>
        eventStore.append([one('a', { events: Array.from({ length: 200 }, (_, n) => event({ n, text: 'x'.repeat(2_000) })) })]),
      )
      const bytes = readFileSync(at('log.db'))
      bytes.fill(0xa5, Math.floor(bytes.length / 2 / 4096) * 4096, bytes.length - 40 * 4096)
      writeFileSync(at('log.db'), bytes)
      await withStorage(at('log.db'), { driver: 'libsql', checkedMaxBytes: 0 }, async ({ eventStore }) => {
        const seen: unknown[] = []
        const reading = (async () => {
          for await (const { events } of eventStore.readAll({ batch: 5 })) seen.push(...events.map(({ data }) => (data as { n: number }).n))
        })()
        await expect(reading).rejects.toMatchObject({ code: 'STORAGE_CORRUPT', effect: 'none', retry: 'never' })
        expect(seen).toEqual(seen.map((_, n) => n))
        expect(seen.length).toBeGreaterThan(0)
      })
    }))

  test('given a new incarnation refuses readers, tokens and subscribers of before', () =>
    inFolder(async (at) => {
      const clock = testClock()
      await withStorage(at('log.db'), { driver: 'libsql', clock }, async (storage) => {
        const { eventStore } = storage
        const [written] = await eventStore.append([one('a')])
        const token = written?.result === 'ok' ? written.token : ''
        const { incarnation } = await eventStore.head()
        const following = watched(all(eventStore.subscribe({ after: 1n, incarnation })))
        await clock.advance(10)
        const other = sqliteStorage(at('log.db'), { driver: 'libsql', clock })
        await other.open()
        const renewed = await other.renewIncarnation()
        await other.close()
        expect((await eventStore.head()).incarnation).toBe(renewed)
        expect(renewed).not.toBe(incarnation)
        await clock.advance(100)
        expect(following.outcome()).toMatchObject({ code: 'LOG_RESET', effect: 'none' })
        await expect(eventStore.waitFor(token)).rejects.toMatchObject({ code: 'LOG_RESET' })
        await expect(logOf(eventStore, { after: 1n, incarnation })).rejects.toMatchObject({ code: 'LOG_RESET' })
        expect(names(await logOf(eventStore, { incarnation: renewed }))).toEqual(['a@1'])
      })
    }))

  test('is followed at once where this process writes, by looking every pollMs where another does, and by no timer where nobody waits', () =>
    inFolder(async (at) => {
      const clock = testClock()
      const options = { driver: 'libsql', clock, pollMs: 40 } as const
      await withStorage(at('log.db'), options, ({ eventStore }) =>
        withStorage(at('log.db'), options, async ({ eventStore: other }) => {
          const seen: string[] = []
          const caller = new AbortController()
          const follow = async () => {
            for await (const { events } of eventStore.subscribe({ signal: caller.signal })) seen.push(...names(events))
          }
          const following = follow()
          await clock.advance(0)
          expect(clock.pending).toBe(1)
          await eventStore.append([one('mine')])
          await clock.advance(0)
          expect(seen).toEqual(['mine@1'])
          await other.append([one('theirs')])
          await clock.advance(39)
          expect(seen).toEqual(['mine@1'])
          await clock.advance(1)
          expect(seen).toEqual(['mine@1', 'theirs@1'])
          caller.abort()
          await following
          expect(clock.pending).toBe(0)
        }),
      )
    }))
})
