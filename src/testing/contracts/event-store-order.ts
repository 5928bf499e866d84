import type { EventStore, StoredEvent } from '../../ports/event-store.ts'
import { type EventStoreCase, event, isGapless, logOf, one, onLog, placeOf, put, receiptOf } from './event-store-stand.ts'
import { check, same } from './kit.ts'

const WRITERS = 8
const WRITES = 12

/** Per stream, positions rise with versions. */
function inOrder(events: readonly StoredEvent[]): void {
  const versions = new Map<string, number>()
  for (const { stream, version } of events) {
    same(`${stream}: the version after ${versions.get(stream) ?? 0}`, version, (versions.get(stream) ?? 0) + 1)
    versions.set(stream, version)
  }
}

/** Appends one after the other, to a few streams that all writers share. */
async function writing(store: EventStore, writer: number): Promise<bigint[]> {
  const places: bigint[] = []
  for (let n = 0; n < WRITES; n++)
    places.push(
      placeOf(
        await put(
          store,
          one(
            `s${(writer + n) % 5}`,
            'any',
            Array.from({ length: 1 + (n % 3) }, () => event()),
          ),
        ),
      ),
    )
  return places
}

export const orderCases: readonly EventStoreCase[] = [
  {
    promise: 3,
    name: 'gives positions without a gap, from 1, in the order of the versions, whoever writes at once',
    run: onLog(async ({ first, second, open }) => {
      const stores = [first, second, await open()]
      const written = await Promise.all(Array.from({ length: WRITERS }, (_, n) => writing(stores[n % stores.length] ?? first, n)))
      const events = await logOf(first)
      same('all of them', events.length, written.length * (WRITES / 3) * 6)
      isGapless('positions', events)
      inOrder(events)
      same('the head', (await second.head()).position, BigInt(events.length))
      for (const places of written)
        same(
          'one after the other',
          [...places].sort((a, b) => (a < b ? -1 : 1)),
          places,
        )
    }),
  },
  {
    promise: 3,
    name: 'never shows a reader a new event at or below where it has read',
    run: onLog(async ({ first, second, open }) => {
      const reader = await open()
      const seen: StoredEvent[] = []
      let done = false
      const written = Promise.all(Array.from({ length: WRITERS }, (_, n) => writing(n % 2 === 0 ? first : second, n))).finally(() => {
        done = true
      })
      let after = 0n
      for (let last = false; !last; ) {
        last = done
        for await (const { events, scannedTo } of reader.readAll({ after, batch: 7 })) {
          seen.push(...events)
          after = scannedTo
        }
      }
      await written
      isGapless('everything, once', seen)
      same('as it stands', seen, await logOf(first))
    }),
  },
  {
    promise: 3,
    name: 'puts an append that begins after another was answered after it, in any process',
    run: onLog(async ({ first, second }) => {
      let last = 0n
      for (let n = 0; n < 10; n++) {
        const place = placeOf(await put(n % 2 === 0 ? first : second, one(`s${n % 3}`)))
        check(`${place} is after ${last}`, place > last)
        last = place
      }
    }),
  },
  {
    promise: 3,
    name: 'tells the position of the last event of a request, and conflicts take none',
    run: onLog(async ({ first }) => {
      const verdicts = await first.append([one('a', 'none', [event(), event()]), one('a', 'none'), one('b', 'none')])
      same('positions', [receiptOf(verdicts[0]).position, receiptOf(verdicts[2]).position], [2n, 3n])
      same('the head', (await first.head()).position, 3n)
    }),
  },
]
