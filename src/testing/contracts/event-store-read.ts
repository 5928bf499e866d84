import type { EventStore, LogRead } from '../../ports/event-store.ts'
import { batchesOf, type EventStoreCase, event, logOf, names, one, onLog, put, streamOf } from './event-store-stand.ts'
import { check, refuses, same } from './kit.ts'

const versionsOf = async (store: EventStore, read: object): Promise<number[]> =>
  (await streamOf(store, 'a', read)).map(({ version }) => version)

const some = (count: number) =>
  Array.from({ length: count }, (_, n) => event(n % 2 === 0 ? 'even' : 'odd', { data: n + 1, tags: [`by 3: ${n % 3}`] }))

export const readCases: readonly EventStoreCase[] = [
  {
    promise: 8,
    name: 'reads a stream in batches, forwards and backwards, from a version to a version',
    run: onLog(async ({ first, second }) => {
      await put(first, one('a', 'none', some(10)))
      await put(first, one('b', 'none', some(3)))
      same('all', await versionsOf(second, {}), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
      same('from', await versionsOf(second, { fromVersion: 8 }), [8, 9, 10])
      same('to', await versionsOf(second, { toVersion: 3 }), [1, 2, 3])
      same('from, to', await versionsOf(second, { fromVersion: 4, toVersion: 6 }), [4, 5, 6])
      same('past the end', await versionsOf(second, { fromVersion: 11 }), [])
      same('to past the end', await versionsOf(second, { fromVersion: 9, toVersion: 99 }), [9, 10])
      same('nothing between', await versionsOf(second, { fromVersion: 6, toVersion: 5 }), [])
      same('backwards', await versionsOf(second, { backwards: true }), [10, 9, 8, 7, 6, 5, 4, 3, 2, 1])
      same('backwards from', await versionsOf(second, { backwards: true, fromVersion: 3 }), [3, 2, 1])
      same('backwards to', await versionsOf(second, { backwards: true, toVersion: 8 }), [10, 9, 8])
      same(
        'backwards in batches',
        await versionsOf(second, { backwards: true, fromVersion: 9, toVersion: 2, batch: 3 }),
        [9, 8, 7, 6, 5, 4, 3, 2],
      )
      const sizes: number[] = []
      for await (const batch of second.readStream('a', { batch: 3 })) sizes.push(batch.length)
      check(
        `batches of 1 to 3: ${sizes.join(' ')}`,
        sizes.every((size) => size >= 1 && size <= 3),
      )
      same(
        'all of them',
        sizes.reduce((sum, size) => sum + size, 0),
        10,
      )
      for await (const _ of second.readStream('nobody')) throw new Error('a stream that is not there has no batch')
    }),
  },
  {
    promise: 8,
    name: 'reads the log after a position in batches, to the head as it was found',
    run: onLog(async ({ first, second }) => {
      await put(first, one('a', 'none', some(10)))
      await put(first, one('b', 'none', some(2)))
      const { incarnation } = await second.head()
      const batches = await batchesOf(second, { batch: 5 })
      check(
        'at most 5',
        batches.every(({ events }) => events.length <= 5),
      )
      same('the end', batches.at(-1)?.scannedTo, 12n)
      check(
        'its incarnation',
        batches.every((batch) => batch.incarnation === incarnation),
      )
      same('after', names(await logOf(second, { after: 9n, incarnation })), ['a@10', 'b@1', 'b@2'])
      same('at the head', await logOf(second, { after: 12n, incarnation }), [])
      const seen: string[] = []
      for await (const { events } of second.readAll({ batch: 4 })) {
        seen.push(...names(events))
        await put(first, one('late'))
      }
      check('the first twelve', seen.filter((name) => !name.startsWith('late')).length === 12)
    }),
  },
  {
    promise: 8,
    name: 'gives no events of an empty log',
    run: onLog(async ({ first }) => {
      same('events', await logOf(first), [])
      same('head', (await first.head()).position, 0n)
    }),
  },
  {
    promise: 8,
    name: 'filters by types, tags and tenant, and moves on past what does not match',
    run: onLog(async ({ first, second }) => {
      await put(first, one('a', 'none', some(12)))
      await put(first, one('a', 'none', some(3), { tenant: 't' }))
      const data = async (read: LogRead) => (await logOf(second, read)).map((stored) => stored.data)
      same('a type', await data({ types: ['odd'] }), [2, 4, 6, 8, 10, 12])
      same('types', await data({ types: ['odd', 'even', 'none'] }), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
      same('a tag', await data({ tags: ['by 3: 1'] }), [2, 5, 8, 11])
      same('all of the tags', await data({ tags: ['by 3: 1', 'by 3: 2'] }), [])
      same('both', await data({ types: ['odd'], tags: ['by 3: 1'] }), [2, 8])
      same('both, after, in batches', await data({ types: ['odd'], tags: ['by 3: 1'], after: 2n, batch: 1 }), [8])
      same('a tenant', await data({ tenant: 't' }), [1, 2, 3])
      same('a tenant’s type', await data({ tenant: 't', types: ['odd'] }), [2])
      same('all tenants', await data({ tenant: '*', types: ['odd'], after: 9n }), [10, 12, 2])
      same('nobody', await data({ tenant: 'nobody' }), [])
      for (const read of [
        { types: ['none'] },
        { tags: ['none'] },
        { tenant: 'nobody' },
        { tags: ['by 3: 0'], batch: 2 },
        { types: ['odd'] },
      ])
        same('looked at everything', (await batchesOf(second, read)).at(-1)?.scannedTo, 15n)
      same('from there', (await batchesOf(second, { types: ['none'], after: 7n })).at(-1)?.scannedTo, 15n)
    }),
  },
  {
    promise: 8,
    name: 'can be left at any time, and read again',
    run: onLog(async ({ first }) => {
      await put(first, one('a', 'none', some(20)))
      for (let round = 0; round < 30; round++) {
        for await (const batch of first.readStream('a', { batch: 2 })) if (batch.length > 0) break
        for await (const batch of first.readAll({ batch: 2 })) if (batch.events.length > 0) break
      }
      same('again', (await logOf(first, { batch: 3 })).length, 20)
      const reading = first.readAll({ batch: 5 })
      const twice = [0, 0]
      for (const at of [0, 1]) for await (const { events } of reading) twice[at] = (twice[at] ?? 0) + events.length
      check('one reading yields all of it, once or as often as it is iterated', twice[0] === 20 && (twice[1] === 0 || twice[1] === 20))
    }),
  },
  {
    promise: 11,
    name: 'ends a read with its signal',
    run: onLog(async ({ first }) => {
      await put(first, one('a', 'none', some(9)))
      const gone = AbortSignal.abort()
      await refuses('the stream', 'ABORTED', () => streamOf(first, 'a', { signal: gone }))
      await refuses('the log', 'ABORTED', () => logOf(first, { signal: gone }))
      await refuses('the head', 'ABORTED', () => first.head(gone))
      for (const read of ['the stream', 'the log'] as const) {
        const caller = new AbortController()
        let events = 0
        await refuses(`${read}, on the way`, 'ABORTED', async () => {
          const { signal } = caller
          const batches = read === 'the log' ? first.readAll({ batch: 3, signal }) : first.readStream('a', { batch: 3, signal })
          for await (const batch of batches) {
            events += 'events' in batch ? batch.events.length : batch.length
            caller.abort()
          }
        })
        check('a batch came before', events > 0 && events < 9)
      }
    }),
  },
  {
    promise: 8,
    name: 'refuses unfit reads',
    run: onLog(async ({ first }) => {
      await put(first, one('a'))
      const log: readonly object[] = [
        { batch: 0 },
        { batch: 10_001 },
        { after: -1n },
        { after: 1 },
        { tags: [''] },
        { types: [7] },
        { tenant: 7 },
      ]
      for (const read of log) await refuses('the log', 'INVALID_INPUT', () => logOf(first, read))
      const stream: readonly object[] = [{ batch: 0 }, { fromVersion: 0 }, { toVersion: 1.5 }, { tenant: '*' }]
      for (const read of stream) await refuses('the stream', 'INVALID_INPUT', () => streamOf(first, 'a', read))
      await refuses('no name', 'INVALID_INPUT', () => streamOf(first, ''))
    }),
  },
  {
    promise: 10,
    name: 'answers LOG_RESET to a reader or a token from past the head or of another log',
    run: onLog(async ({ first, second }) => {
      const { token } = await put(first, one('a'))
      const { incarnation } = await first.head()
      same('the same in every process', (await second.head()).incarnation, incarnation)
      same('its own', (await logOf(second, { after: 1n, incarnation })).length, 0)
      await refuses('past the head', 'LOG_RESET', () => logOf(second, { after: 2n }))
      await refuses('another incarnation', 'LOG_RESET', () => logOf(second, { after: 0n, incarnation: 'another' }))
      const follow = async (read: LogRead): Promise<void> => {
        for await (const _ of second.subscribe(read)) break
      }
      await refuses('a subscriber past the head', 'LOG_RESET', () => follow({ after: 2n }))
      await refuses('a subscriber of another log', 'LOG_RESET', () => follow({ after: 1n, incarnation: 'another' }))
      same('its token', await second.waitFor(token), 1n)
      await refuses('rubbish', 'INVALID_INPUT', () => second.waitFor('rubbish'))
      await refuses('no token', 'INVALID_INPUT', () => second.waitFor(7 as unknown as string))
    }),
  },
  {
    promise: 10,
    name: 'answers LOG_RESET to the token of another log',
    run: async (make) => {
      let token = ''
      await onLog(async ({ first }) => {
        token = (await put(first, one('a'))).token
      })(make)
      await onLog(async ({ first }) => {
        await put(first, one('a'))
        await refuses('waitFor', 'LOG_RESET', () => first.waitFor(token))
      })(make)
    },
  },
]
