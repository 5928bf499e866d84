// SQLite is held against the memory store, the reference: whatever is asked, both answer the same.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { memoryStorage, memoryTransactions } from '../../../src/adapters/memory/index.ts'
import { sqliteStorage, sqliteTransactions } from '../../../src/adapters/sqlite/index.ts'
import type { AppendRequest, AppendVerdict, EventStore, LogRead, StreamRead } from '../../../src/ports/event-store.ts'
import type { Transactions } from '../../../src/ports/transactions.ts'
import { testClock } from '../../../src/testing/test-clock.ts'
import { describeWith } from '../../support/services.ts'
import { drivers, inFolder, openHandle } from './support.ts'

const streams = ['a', 'b', 'c']
const tags = ['x', 'y', 'z']
const tenants = ['', 't']

const anEvent = fc.record({
  id: fc.uuid(),
  type: fc.constantFrom('p', 'q', 'r'),
  data: fc.jsonValue({ maxDepth: 1 }).map((value) => JSON.parse(JSON.stringify(value).replace(/-0(?=[,\]}]|$)/g, '0')) as unknown),
  tags: fc.subarray(tags),
})
const aQuery = fc.record({ tags: fc.subarray(tags, { minLength: 1 }), types: fc.subarray(['p', 'q', 'r'], { minLength: 1 }) })
const anAfter = fc.bigInt({ min: 0n, max: 30n })
const aRequest: fc.Arbitrary<AppendRequest> = fc.record(
  {
    writes: fc
      .uniqueArray(
        fc.record({
          stream: fc.constantFrom(...streams),
          expect: fc.oneof(
            { weight: 3, arbitrary: fc.constant('any' as const) },
            fc.constantFrom('none' as const, 'exists' as const),
            fc.nat(4),
          ),
          events: fc.array(anEvent, { maxLength: 3 }),
        }),
        { minLength: 1, maxLength: 2, selector: ({ stream }) => stream },
      )
      .map((writes) => writes),
    condition: fc.record({
      queries: fc.oneof(fc.constant('whole-log' as const), fc.array(aQuery, { minLength: 1, maxLength: 2 })),
      after: anAfter,
    }),
    idempotencyKey: fc.constantFrom('k1', 'k2', 'k3'),
    tenant: fc.constantFrom(...tenants),
  },
  { requiredKeys: ['writes', 'tenant'] },
)

type Act =
  | { readonly act: 'append'; readonly requests: readonly AppendRequest[] }
  | { readonly act: 'join'; readonly requests: readonly AppendRequest[]; readonly commit: boolean }
  | { readonly act: 'truncate'; readonly stream: string; readonly tenant: string; readonly beforeVersion: number }
  | { readonly act: 'archive' | 'tombstone'; readonly stream: string; readonly tenant: string }
  | { readonly act: 'read'; readonly read: LogRead }
  | { readonly act: 'stream'; readonly stream: string; readonly read: StreamRead }

const place = { stream: fc.constantFrom(...streams), tenant: fc.constantFrom(...tenants) }
const anAct: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ act: fc.constant('append' as const), requests: fc.array(aRequest, { minLength: 1, maxLength: 4 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      act: fc.constant('join' as const),
      requests: fc.array(aRequest, { minLength: 1, maxLength: 3 }),
      commit: fc.boolean(),
    }),
  },
  fc.record({ act: fc.constant('truncate' as const), ...place, beforeVersion: fc.integer({ min: 1, max: 6 }) }),
  fc.record({ act: fc.constantFrom('archive' as const, 'tombstone' as const), ...place }),
  {
    weight: 3,
    arbitrary: fc.record({
      act: fc.constant('read' as const),
      read: fc.record(
        {
          after: anAfter,
          tenant: fc.constantFrom('', 't', '*'),
          tags: fc.subarray(tags),
          types: fc.subarray(['p', 'q', 'never']),
          batch: fc.integer({ min: 1, max: 5 }),
        },
        { requiredKeys: [] },
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      act: fc.constant('stream' as const),
      stream: fc.constantFrom(...streams),
      read: fc.record(
        {
          tenant: fc.constantFrom(...tenants),
          fromVersion: fc.integer({ min: 1, max: 6 }),
          toVersion: fc.integer({ min: 1, max: 6 }),
          backwards: fc.boolean(),
          batch: fc.integer({ min: 1, max: 4 }),
        },
        { requiredKeys: [] },
      ),
    }),
  },
)

/** A verdict without what names the log, and the wording of errors. */
function plain(verdict: AppendVerdict): unknown {
  if (verdict.result === 'ok') return { ...verdict, token: undefined }
  // A joined write's place is told from its commit on, by both; in its own transaction SQLite has it and keeps it to itself.
  if (verdict.result === 'duplicate') return { ...verdict, original: { ...verdict.original, token: undefined } }
  if (verdict.result === 'conflict') return verdict
  const { code, effect, retry } = verdict.error
  return { result: verdict.result, code, effect, retry }
}

async function outcomeOf(work: () => Promise<unknown>): Promise<unknown> {
  try {
    return await work()
  } catch (error) {
    const { code, effect } = error as { code: unknown; effect: unknown }
    return { code, effect }
  }
}

async function gathered<T>(feed: AsyncIterable<T>, shown: (batch: T) => unknown): Promise<unknown[]> {
  const all: unknown[] = []
  for await (const batch of feed) all.push(shown(batch))
  return all
}

async function perform(store: EventStore, db: Transactions<unknown>, act: Act): Promise<unknown> {
  switch (act.act) {
    case 'append':
      return (await store.append(act.requests)).map(plain)
    case 'join': {
      const verdicts: unknown[] = []
      await outcomeOf(() =>
        db.run(async (tx) => {
          for (const request of act.requests) verdicts.push(plain(await store.join(tx).append(request)))
          if (!act.commit) throw new Error('rolled back')
        }),
      )
      return verdicts
    }
    case 'truncate':
      return store.truncate(act.stream, act)
    case 'archive':
    case 'tombstone':
      return store[act.act](act.stream, act)
    case 'read':
      return gathered(store.readAll(act.read), ({ events, scannedTo }) => ({ events, scannedTo }))
    case 'stream':
      return gathered(store.readStream(act.stream, act.read), (events) => events)
  }
}

for (const driver of drivers) {
  describeWith(driver, `the events of ${driver} and those in memory`, () => {
    test('are the same whatever is done', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(anAct, { minLength: 1, maxLength: 25 }), (acts) =>
          inFolder(async (at) => {
            const clock = testClock()
            const [handle, user] = [openHandle(driver, at('log.db')), openHandle(driver, at('log.db'))]
            handle.exec('pragma journal_mode = wal')
            const memory = memoryStorage({ clock })
            const sqlite = sqliteStorage(handle, { clock, durability: 'normal' })
            for (const storage of [memory, sqlite]) await storage.open()
            try {
              const whole: Act[] = [
                { act: 'read', read: { tenant: '*' } },
                ...streams.map((stream) => ({ act: 'stream', stream, read: {} }) as const),
              ]
              for (const act of [...acts, ...whole]) {
                const expected = await outcomeOf(() => perform(memory.eventStore, memoryTransactions(memory), act))
                const actual = await outcomeOf(() => perform(sqlite.eventStore, sqliteTransactions(user), act))
                expect(actual, act.act).toEqual(expected)
                await clock.advance(1)
              }
              expect((await sqlite.eventStore.head()).position).toBe((await memory.eventStore.head()).position)
            } finally {
              for (const storage of [memory, sqlite]) await storage.close()
              for (const each of [handle, user]) each.close()
            }
          }),
        ),
        { numRuns: 60 },
      )
    })
  })
}
