import fc from 'fast-check'
import { expect, test } from 'vitest'
import { memoryStorage, memoryStore } from '../../../src/adapters/memory/index.ts'
import { sqliteStorage } from '../../../src/adapters/sqlite/index.ts'
import type { SagaFilter, SagaState, SagaWrite } from '../../../src/ports/saga-journal.ts'
import type { Storage } from '../../../src/ports/storage.ts'
import { testClock } from '../../../src/testing/test-clock.ts'
import { describeWith } from '../../support/services.ts'
import { Model } from './model.ts'
import { drivers, openHandle } from './support.ts'

const SHARDS = 3
const STATES: readonly SagaState[] = ['running', 'undoing', 'stuck', 'done', 'undone']

type Command =
  | { readonly type: 'append'; readonly by: number; readonly writes: readonly SagaWrite[] }
  | { readonly type: 'claim'; readonly by: number; readonly shards: number; readonly leaseMs: number }
  | { readonly type: 'release'; readonly by: number }
  | { readonly type: 'pass'; readonly ms: number }
  | { readonly type: 'list'; readonly by: number; readonly filter: SagaFilter }
  | { readonly type: 'restart'; readonly by: number }

const by = fc.nat(1)
const id = fc.constantFrom('a', 'A', 'b', 'b\u0000', '\uff5e', '\u{1f600}')
const shard = fc.nat(SHARDS - 1)
const state = fc.constantFrom(...STATES)
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })

/** Mostly what would be right for a saga of few records, so that chains come about. */
const write: fc.Arbitrary<SagaWrite> = fc
  .record({
    id,
    from: fc.constantFrom(1, 1, 2, 2, 3, 4),
    count: fc.constantFrom(0, 1, 1, 2),
    text: fc.string({ unit: 'binary', maxLength: 6 }),
    state,
    fence: fc.record({ shard, epoch: fc.constantFrom(0, 1, 1, 1, 2, 3) }),
    fenced: fc.boolean(),
    create: optional(
      fc.record({
        saga: fc.constantFrom('checkout', 'refund'),
        version: fc.nat(3),
        definitionHash: fc.constant('d'),
        inputHash: fc.constantFrom('x', 'y'),
        shard,
      }),
    ),
  })
  .map(({ id, from, count, text, state, fence, fenced, create }) => ({
    id,
    state,
    records: Array.from({ length: count }, (_, i) => {
      const seq = (create === undefined ? from : 1) + i
      return { seq, kind: 'intent', step: i % 2 === 0 ? null : text, atEpochMs: seq + 0.5, data: text }
    }),
    ...(create === undefined ? { fence } : { create, ...(fenced && { fence }) }),
  }))

const filter: fc.Arbitrary<SagaFilter> = fc
  .record({
    saga: optional(fc.constantFrom('checkout', 'refund')),
    states: optional(fc.uniqueArray(state)),
    shard: optional(shard),
    limit: optional(fc.integer({ min: 1, max: 4 })),
    afterId: optional(id),
  })
  .map((given) => Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)))

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant('append' as const), by, writes: fc.array(write, { maxLength: 5 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('claim' as const),
      by,
      shards: fc.integer({ min: 1, max: SHARDS }),
      leaseMs: fc.constantFrom(10, 100),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('release' as const), by }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('pass' as const), ms: fc.constantFrom(5, 10, 99, 100) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('list' as const), by, filter }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('restart' as const), by }) },
)

/** What an engine answers; `by` says which of its two openings is asked, and is the owner's name. */
async function answer(storages: readonly Storage[], command: Exclude<Command, { type: 'pass' }>): Promise<unknown> {
  const storage = storages[command.by]
  if (storage === undefined) throw new Error('no such opening')
  const journal = storage.sagaJournal
  switch (command.type) {
    case 'append':
      return journal.append(command.writes)
    case 'claim':
      return journal.claim(`owner ${command.by}`, { shards: command.shards, leaseMs: command.leaseMs })
    case 'release':
      return journal.release(`owner ${command.by}`)
    case 'list':
      return journal.list(command.filter)
    case 'restart':
      await storage.close()
      return storage.open()
  }
}

function expected(model: Model, command: Exclude<Command, { type: 'pass' }>): unknown {
  switch (command.type) {
    case 'append':
      return model.append(command.writes)
    case 'claim':
      return model.claim(`owner ${command.by}`, command.shards, command.leaseMs)
    case 'release':
      return model.release(`owner ${command.by}`)
    case 'list':
      return model.list(command.filter)
    case 'restart':
      return undefined
  }
}

for (const driver of drivers) {
  describeWith(driver, `memory and SQLite with ${driver}`, () => {
    test('answer as the model does, whatever is asked in whatever order', { timeout: 60_000 }, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(command, { maxLength: 40 }), async (commands) => {
          const clock = testClock()
          const store = memoryStore()
          const handle = openHandle(driver, ':memory:')
          const engines = [
            [memoryStorage({ clock, store }), memoryStorage({ clock, store })],
            [sqliteStorage(handle, { clock }), sqliteStorage(handle, { clock })],
          ]
          const model = new Model(SHARDS)
          for (const storage of engines.flat()) await storage.open()
          for (const command of commands) {
            if (command.type === 'pass') {
              await clock.advance(command.ms)
              model.nowMs += command.ms
              continue
            }
            const right = expected(model, command)
            for (const storages of engines) expect(await answer(storages, command)).toEqual(right)
          }
          for (const [storage] of engines) {
            for (const { head } of model.sagas) expect(await storage?.sagaJournal.read(head.id)).toEqual(model.read(head.id))
            expect(await storage?.sagaJournal.list({})).toEqual(model.list({}))
          }
          for (const storage of engines.flat()) await storage.close()
          handle.close()
        }),
        { numRuns: 150 },
      )
    })
  })
}
