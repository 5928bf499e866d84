import type { EventStore, LogRead, StoredEvent } from '../../ports/event-store.ts'
import { type EventStoreCase, event, isGapless, logOf, names, one, onLog, passing, put } from './event-store-stand.ts'
import { check, refuses, same } from './kit.ts'

/** Follows the log until so many events have come, and checks that it moves on. */
async function follow(store: EventStore, count: number, read: LogRead = {}): Promise<StoredEvent[]> {
  const seen: StoredEvent[] = []
  let at = read.after ?? 0n
  let batches = 0
  for await (const { events, scannedTo } of store.subscribe(read)) {
    const moves = scannedTo > at || (batches === 0 && events.length === 0 && scannedTo === at)
    if (!moves) throw new Error(`scannedTo: from ${at} to ${scannedTo}`)
    at = scannedTo
    batches += 1
    seen.push(...events)
    if (seen.length >= count) break
  }
  return seen
}

export const subscribeCases: readonly EventStoreCase[] = [
  {
    promise: 8,
    name: 'catches up, then follows what comes, from any process, without a gap or a double',
    run: onLog(async ({ first, second, stand }) => {
      for (let n = 0; n < 10; n++) await put(first, one(`s${n % 3}`))
      const following = [follow(first, 30), follow(second, 30, { batch: 4 }), follow(second, 25, { after: 5n })]
      for (let n = 0; n < 10; n++) {
        await put(n % 2 === 0 ? first : second, one(`s${n % 3}`, 'any', [event(), event()]))
        if (n % 3 === 0) await stand.passMs(2)
      }
      const [all, batched, after] = await passing(stand, Promise.all(following))
      isGapless('all', all ?? [])
      same('as the log is', all, await logOf(second))
      same('in batches', batched, all)
      same('after a position', after, all?.slice(5))
    }),
  },
  {
    promise: 8,
    name: 'follows only what matches, and moves on past the rest',
    run: onLog(async ({ first, second, stand }) => {
      const moved: bigint[] = []
      const seen: string[] = []
      const caller = new AbortController()
      const following = (async () => {
        for await (const { events, scannedTo } of second.subscribe({ types: ['paid'], signal: caller.signal })) {
          seen.push(...names(events))
          moved.push(scannedTo)
          if (scannedTo === 4n) caller.abort()
        }
      })()
      await put(first, one('a'))
      await put(first, one('b', 'any', [event('paid')]))
      await put(first, one('c', 'any', [event(), event()]))
      await passing(stand, following)
      same('what matches', seen, ['b@1'])
      same('looked at', moved.at(-1), 4n)
    }),
  },
  {
    promise: 8,
    name: 'ends with its signal, and leaves at once, wherever it is',
    run: onLog(async ({ first, stand }) => {
      await put(first, one('a'))
      const caller = new AbortController()
      let batches = 0
      const waiting = (async () => {
        for await (const _ of first.subscribe({ after: 1n, signal: caller.signal })) batches += 1
      })()
      await stand.passMs(20)
      caller.abort()
      await passing(stand, waiting)
      check('at most the empty first batch', batches <= 1)
      for await (const _ of first.subscribe({ signal: caller.signal }))
        throw new Error('a signal that has aborted ends it before it begins')
      const reading = first.subscribe({ signal: AbortSignal.any([]) })[Symbol.asyncIterator]()
      await reading.next()
      await reading.return?.()
      same('over', (await reading.next()).done, true)
    }),
  },
  {
    promise: 11,
    name: 'ends with NOT_STARTED when the store is closed',
    run: onLog(async ({ stand, open }) => {
      const store = await open()
      const following = (async () => {
        for await (const _ of store.subscribe()) check('nothing comes', true)
      })()
      following.catch(() => {})
      await stand.passMs(20)
      await store.close()
      await refuses('subscribe', 'NOT_STARTED', () => passing(stand, following))
    }),
  },
]
