import { type EventStoreCase, event, logOf, names, nothingOf, one, onLog, put, streamOf, tagged, words } from './event-store-stand.ts'
import { refuses, same } from './kit.ts'

const some = (count: number) => Array.from({ length: count }, () => tagged('tag'))

export const removeCases: readonly EventStoreCase[] = [
  {
    promise: 9,
    name: 'truncates a stream below a version: it goes on where it was, and positions stay taken',
    run: onLog(async ({ first, second }) => {
      await put(first, one('a', 'none', some(5)))
      await put(first, one('b', 'none', some(1)))
      await first.truncate('a', { beforeVersion: 4 })
      same('the stream', names(await streamOf(second, 'a')), ['a@4', 'a@5'])
      same('backwards', names(await streamOf(second, 'a', { backwards: true, batch: 1 })), ['a@5', 'a@4'])
      same('from before', names(await streamOf(second, 'a', { fromVersion: 2, batch: 1 })), ['a@4', 'a@5'])
      const left = await logOf(second)
      same(
        'the log',
        left.map(({ position }) => position),
        [4n, 5n, 6n],
      )
      same('by tag', names(await logOf(second, { tags: ['tag'] })), ['a@4', 'a@5', 'b@1'])
      same('the head', (await second.head()).position, 6n)
      await first.truncate('a', { beforeVersion: 2 })
      same('again, below', names(await streamOf(second, 'a')), ['a@4', 'a@5'])
      const [none] = await second.append([one('a', 'none')])
      same('what is left is missed', none?.result === 'conflict' && [none.actual, names(none.missed)], [5, ['a@4', 'a@5']])
      same('it goes on', words(await second.append([one('a', 5)])), ['ok'])
      await first.truncate('a', { beforeVersion: 99 })
      same('all of it', await streamOf(second, 'a'), [])
      same('still there', words(await second.append([one('a', 'none'), one('a', 6)])), ['conflict stream', 'ok'])
      same('the next version', names(await streamOf(second, 'a')), ['a@7'])
      same('none of the others', names(await logOf(second)), ['b@1', 'a@7'])
      await first.truncate('nobody', { beforeVersion: 2 })
      await refuses('no version', 'INVALID_INPUT', () => first.truncate('a', { beforeVersion: 0 }))
    }),
  },
  {
    promise: 9,
    name: 'archives a stream: read only by itself, closed for good',
    run: onLog(async ({ first, second }) => {
      await put(first, one('a', 'none', some(2), { idempotencyKey: 'k' }))
      await put(first, one('b', 'none', some(1)))
      await first.archive('a')
      same('by itself', names(await streamOf(second, 'a')), ['a@1', 'a@2'])
      same('not in the log', names(await logOf(second)), ['b@1'])
      same('nor by tag', names(await logOf(second, { tags: ['tag'] })), ['b@1'])
      same('verdicts', words(await second.append([one('a', 2), one('a', 'any', []), one('a', 'none'), one('b', 1)])), [
        'none STREAM_ARCHIVED',
        'none STREAM_ARCHIVED',
        'none STREAM_ARCHIVED',
        'ok',
      ])
      same('a request with it', words(await second.append([{ writes: [...one('c').writes, ...one('a').writes] }])), [
        'none STREAM_ARCHIVED',
      ])
      same('not in part', await streamOf(second, 'c'), [])
      same('its key', words(await second.append([one('a', 'none', some(2), { idempotencyKey: 'k' })])), ['duplicate'])
      await second.archive('a')
      same('still', names(await streamOf(first, 'a')), ['a@1', 'a@2'])
    }),
  },
  {
    promise: 9,
    name: 'tombstones a stream: all its events are gone, closed for good',
    run: onLog(async ({ first, second }) => {
      await put(first, one('a', 'none', some(2)))
      await put(first, one('b', 'none', some(1)))
      await first.tombstone('a')
      same('no events', await streamOf(second, 'a'), [])
      same('nor in the log', names(await logOf(second)), ['b@1'])
      same('the head', (await second.head()).position, 3n)
      same('verdicts', words(await second.append([one('a', 2), one('a', 'none'), one('b', 1)])), [
        'none STREAM_TOMBSTONED',
        'none STREAM_TOMBSTONED',
        'ok',
      ])
      same(
        'positions stay taken',
        (await logOf(second)).map(({ position }) => position),
        [3n, 4n],
      )
      same('nothing to conflict with', words(await second.append([one('c', 'none', [event()], { condition: nothingOf(3n, 'tag') })])), [
        'ok',
      ])
      await second.tombstone('a')
      await refuses('archive', 'STREAM_TOMBSTONED', () => second.archive('a'))
    }),
  },
  {
    promise: 9,
    name: 'tombstones what is archived, and closes a name that was never used',
    run: onLog(async ({ first, second }) => {
      await put(first, one('a', 'none', some(2)))
      await first.archive('a')
      await first.tombstone('a')
      same('gone', await streamOf(second, 'a'), [])
      await first.tombstone('never')
      await first.archive('nor this')
      same('verdicts', words(await second.append([one('a'), one('never'), one('nor this')])), [
        'none STREAM_TOMBSTONED',
        'none STREAM_TOMBSTONED',
        'none STREAM_ARCHIVED',
      ])
    }),
  },
  {
    promise: 9,
    name: 'closes and truncates only the tenant’s stream',
    run: onLog(async ({ first, second }) => {
      for (const tenant of ['', 't', 'u']) await put(first, one('a', 'none', some(2), { tenant }))
      await first.tombstone('a', { tenant: 't' })
      await first.archive('a', { tenant: 'u' })
      await first.truncate('a', { beforeVersion: 2 })
      const versions = async (tenant: string) => names(await streamOf(second, 'a', { tenant }))
      same('streams', [await versions(''), await versions('t'), await versions('u')], [['a@2'], [], ['a@1', 'a@2']])
      same(
        'the log of all',
        (await logOf(second, { tenant: '*' })).map(({ tenant, version }) => [tenant, version]),
        [['', 2]],
      )
    }),
  },
]
