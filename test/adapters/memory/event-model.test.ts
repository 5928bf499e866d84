import fc from 'fast-check'
import { expect, test } from 'vitest'
import { memoryStorage, memoryTransactions } from '../../../src/adapters/memory/index.ts'
import type { EventStore } from '../../../src/ports/event-store.ts'
import { logOf, type StandTransaction, standTransaction, streamOf, word, words } from '../../../src/testing/contracts/event-store-stand.ts'
import { type TestClock, testClock } from '../../../src/testing/test-clock.ts'
import { type Ask, NaiveLog, requestOf, shown } from './event-model.ts'

interface Real {
  readonly clock: TestClock
  readonly store: EventStore
  readonly begin: () => Promise<StandTransaction>
  transaction?: StandTransaction | undefined
}

type Command = fc.AsyncCommand<NaiveLog, Real>

const command = (name: string, check: (model: NaiveLog) => boolean, run: (model: NaiveLog, real: Real) => Promise<void>): Command => ({
  check,
  run,
  toString: () => name,
})

async function until<T>({ clock }: Real, work: Promise<T>): Promise<T> {
  work.catch(() => {})
  await clock.advance(10_000)
  return await work
}

const stream = fc.constantFrom('a', 'b', 'c')
const tenant = fc.constantFrom('', '', 't')
const tag = fc.constantFrom('x', 'y')
const type = fc.constantFrom('placed', 'paid')
const asks: fc.Arbitrary<Ask> = fc
  .record(
    {
      stream,
      expect: fc.oneof(
        { weight: 3, arbitrary: fc.constant('any' as const) },
        fc.constantFrom('none' as const, 'exists' as const),
        fc.nat(4),
      ),
      types: fc.array(type, { maxLength: 3 }),
      tenant,
      tag,
      other: fc.constantFrom('b', 'd'),
      key: fc.constantFrom('k', 'l', 'm'),
      unless: fc.record({ tag, behind: fc.nat(6) }),
    },
    { requiredKeys: ['stream', 'expect', 'types', 'tenant'] },
  )
  .map((ask) => (ask.other === ask.stream ? { ...ask, other: 'd' } : ask))

const commands: fc.Arbitrary<Command>[] = [
  fc.array(asks, { minLength: 1, maxLength: 4 }).map((batch) =>
    command(
      `append ${JSON.stringify(batch)}`,
      () => true,
      async (model, real) => {
        // Requests that wait for a transaction are decided later than those behind them: one at a time, their order is plain.
        for (const part of model.tx === undefined ? [batch] : batch.map((ask) => [ask])) {
          const requests = part.map((ask) => requestOf(ask, model.head))
          const expected: string[] = []
          const { head } = model
          for (const ask of part) expected.push(model.ask(behind(ask, model.head - head), false))
          expect(words(await until(real, real.store.append(requests, { timeoutMs: 50 })))).toEqual(expected)
        }
      },
    ),
  ),
  fc.constant(
    command(
      'begin',
      (model) => model.tx === undefined,
      async (model, real) => {
        real.transaction = await real.begin()
        model.begin()
      },
    ),
  ),
  asks.map((ask) =>
    command(
      `join ${JSON.stringify(ask)}`,
      (model) => model.tx !== undefined,
      async (model, real) => {
        const verdict = await real.store.join(real.transaction?.tx).append(requestOf(ask, model.head))
        expect(word(verdict)).toBe(model.ask(ask, true))
      },
    ),
  ),
  fc.boolean().map((commit) =>
    command(
      commit ? 'commit' : 'rollback',
      (model) => model.tx !== undefined,
      async (model, real) => {
        await (commit ? real.transaction?.commit() : real.transaction?.rollback())
        real.transaction = undefined
        model.end(commit)
      },
    ),
  ),
  fc.tuple(tenant, stream, fc.integer({ min: 1, max: 6 })).map(([tenant, stream, beforeVersion]) =>
    command(
      `truncate ${tenant}/${stream} ${beforeVersion}`,
      (model) => !model.isHeld(tenant, stream),
      async (model, real) => {
        await real.store.truncate(stream, { beforeVersion, tenant })
        model.truncate(tenant, stream, beforeVersion)
      },
    ),
  ),
  fc.tuple(tenant, fc.constantFrom('b', 'c', 'd'), fc.boolean()).map(([tenant, stream, forGood]) =>
    command(
      `close ${tenant}/${stream} ${forGood}`,
      (model) => !model.isHeld(tenant, stream),
      async (model, real) => {
        const closing = forGood ? real.store.tombstone(stream, { tenant }) : real.store.archive(stream, { tenant })
        const done = await closing.then(
          () => true,
          () => false,
        )
        expect(done).toBe(model.close(tenant, stream, forGood ? 'STREAM_TOMBSTONED' : 'STREAM_ARCHIVED'))
      },
    ),
  ),
  fc
    .record(
      {
        tenant: fc.constantFrom('', 't', '*'),
        after: fc.nat(12),
        types: fc.uniqueArray(type, { minLength: 1 }),
        tag,
        batch: fc.integer({ min: 1, max: 4 }),
      },
      { requiredKeys: ['tenant', 'after', 'batch'] },
    )
    .map(({ tag, after, ...read }) =>
      command(
        `read ${JSON.stringify({ tag, after, ...read })}`,
        (model) => after <= model.head,
        async (model, real) => {
          const events = await logOf(real.store, { ...read, after: BigInt(after), ...(tag === undefined ? {} : { tags: [tag] }) })
          expect(events.map(shown)).toEqual(model.log(read.tenant, after, read.types, tag))
        },
      ),
    ),
  fc
    .tuple(tenant, fc.constantFrom('a', 'b', 'c', 'd'), fc.boolean(), fc.integer({ min: 1, max: 4 }))
    .map(([tenant, stream, backwards, batch]) =>
      command(
        `stream ${tenant}/${stream} ${backwards ? 'backwards' : ''}`,
        () => true,
        async (model, real) => {
          const events = await streamOf(real.store, stream, { tenant, backwards, batch })
          const expected = model.stream(tenant, stream)
          expect(events.map(shown)).toEqual(backwards ? expected.reverse() : expected)
        },
      ),
    ),
]

/** A request says where it looks from when the batch is made; the model, when it comes to it. */
const behind = (ask: Ask, grown: number): Ask =>
  ask.unless === undefined ? ask : { ...ask, unless: { ...ask.unless, behind: ask.unless.behind + grown } }

test('agrees with a log that is searched from the beginning', async () => {
  await fc.assert(
    fc.asyncProperty(fc.commands(commands, { maxCommands: 60 }), async (some) => {
      const clock = testClock()
      const storage = memoryStorage({ clock })
      await storage.open()
      const begin = () => standTransaction(memoryTransactions(storage))
      const real: Real = { clock, store: storage.eventStore, begin }
      await fc.asyncModelRun(() => ({ model: new NaiveLog(), real }), some)
      await real.transaction?.rollback()
      expect(clock.pending).toBe(0)
    }),
    { numRuns: 150 },
  )
})
