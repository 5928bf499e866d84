import { eventually, gather, latest, type MakeKeyValue, onKeys, TTL_MS } from './key-value-stand.ts'
import { type ContractCase, check, refuses, same } from './kit.ts'

/** Long enough for anything that should not come to have come. */
const QUIET_MS = 50

export const keyWatchCases: readonly ContractCase<MakeKeyValue>[] = [
  {
    promise: 8,
    name: 'tells of each key that changes, whichever opening changed it, and of no other',
    run: onKeys(async (first, second, stand) => {
      await first.put('k/old', 'x')
      await first.put('k/gone', 'x')
      const stop = new AbortController()
      const watch = gather(first.watch('k/', stop.signal))
      await first.put('k/a', 'one')
      await second.put('k/b\u0000\u{1f600}', 'two')
      await second.increment('k/n', 3)
      await first.delete('k/gone')
      await first.put('other', 'x')
      await second.put('k', 'x')
      await second.put('k/b\u0000\u{1f600}', 'refused', { expect: 'none' })
      const expected = new Map<string, string | undefined>([
        ['k/a', 'one'],
        ['k/b\u0000\u{1f600}', 'two'],
        ['k/n', '3'],
        ['k/gone', undefined],
      ])
      await eventually('all are told', stand, () => latest(watch).size >= expected.size)
      await stand.passMs(QUIET_MS)
      same('told', [...latest(watch)].sort(), [...expected].sort())
      stop.abort()
      same('ends with the signal', await watch.ended, 'done')
    }),
  },
  {
    promise: 8,
    name: 'tells of what changed since it was called, also before the loop began',
    run: onKeys(async (first, second, stand) => {
      const stop = new AbortController()
      const feed = first.watch('', stop.signal)
      await second.put('a', 'x')
      await second.put('a', 'y')
      const watch = gather(feed)
      await eventually('it is told', stand, () => latest(watch).get('a') === 'y')
      stop.abort()
      await watch.ended
    }),
  },
  {
    promise: 8,
    name: 'never shows an older state after a newer one, and shows the last',
    run: onKeys(async (first, second, stand) => {
      const stop = new AbortController()
      const watch = gather(first.watch('', stop.signal))
      for (let n = 1; n <= 60; n++) await (n % 2 === 0 ? first : second).put('a', String(n))
      await eventually('the last', stand, () => latest(watch).get('a') === '60')
      stop.abort()
      await watch.ended
      const told = watch.changes.map(({ entry }) => Number(entry?.value))
      same(
        'in order',
        told,
        [...told].sort((a, b) => a - b),
      )
    }),
  },
  {
    promise: 8,
    name: 'tells of a key whose time is over, within a second of it',
    run: onKeys(async (first, second, stand) => {
      await first.put('before', 'x', { ttlMs: TTL_MS })
      const stop = new AbortController()
      const watch = gather(first.watch('', stop.signal))
      await second.put('after', 'x', { ttlMs: TTL_MS })
      await second.put('stays', 'x')
      await eventually('it is there', stand, () => latest(watch).get('after') === 'x')
      await stand.passMs(TTL_MS + 1_000)
      same('both are gone', [...latest(watch)].sort(), [
        ['after', undefined],
        ['before', undefined],
        ['stays', 'x'],
      ])
      stop.abort()
      await watch.ended
    }),
  },
  {
    promise: 8,
    name: 'ends with a break, with a signal that has aborted, and while nothing happens',
    run: onKeys(async (first, second) => {
      same('aborted before', await gather(first.watch('', AbortSignal.abort())).ended, 'done')
      const feed = first.watch('')
      await second.put('a', 'x')
      for await (const { key } of feed) {
        same('the key', key, 'a')
        break
      }
      same('after the break', await gather(feed).ended, 'done')
      const stop = new AbortController()
      const idle = gather(first.watch('', stop.signal))
      stop.abort()
      same('idle', await idle.ended, 'done')
    }),
  },
  {
    promise: 8,
    name: 'ends with NOT_STARTED when it is closed',
    run: onKeys(async (first) => {
      const watch = gather(first.watch(''))
      await first.close()
      await refuses('closed', 'NOT_STARTED', async () => {
        throw await watch.ended
      })
      check('nothing was told', watch.changes.length === 0)
    }),
  },
]
