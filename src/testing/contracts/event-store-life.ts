import { type EventStoreCase, event, logOf, names, nothingOf, one, onLog, put, streamOf, tagged, word, words } from './event-store-stand.ts'
import { check, refuses, same } from './kit.ts'

export const lifeCases: readonly EventStoreCase[] = [
  {
    promise: 11,
    name: 'answers NOT_STARTED before it is opened and after it is closed, and keeps what it had',
    run: onLog(async ({ first, stand }) => {
      await put(first, one('a'))
      const store = stand.store()
      const refusesAll = async (): Promise<void> => {
        same('append', words(await store.append([one('a'), one('b')])), ['none NOT_STARTED', 'none NOT_STARTED'])
        same('join', word(await store.join({}).append(one('a'))), 'none NOT_STARTED')
        const calls: Record<string, () => Promise<unknown>> = {
          readStream: () => streamOf(store, 'a'),
          readAll: () => logOf(store),
          subscribe: async () => {
            for await (const _ of store.subscribe()) break
          },
          head: () => store.head(),
          waitFor: () => store.waitFor('x'),
          truncate: () => store.truncate('a', { beforeVersion: 1 }),
          archive: () => store.archive('a'),
          tombstone: () => store.tombstone('a'),
          stats: () => store.stats(),
        }
        for (const [call, work] of Object.entries(calls)) await refuses(call, 'NOT_STARTED', work)
      }
      await refusesAll()
      await store.open()
      await store.open()
      same('open', names(await logOf(store)), ['a@1'])
      await store.close()
      await refusesAll()
      await store.close()
      await store.open()
      same('opened again', words(await store.append([one('a', 1)])), ['ok'])
      await store.close()
      same('nothing else was written', names(await logOf(first)), ['a@1', 'a@2'])
    }),
  },
  {
    promise: 11,
    name: 'writes nothing for a caller who has gone before',
    run: onLog(async ({ first }) => {
      const signal = AbortSignal.abort()
      same('append', words(await first.append([one('a'), one('b')], { signal })), ['none ABORTED', 'none ABORTED'])
      await refuses('truncate', 'ABORTED', () => first.truncate('a', { beforeVersion: 1, signal }))
      await refuses('archive', 'ABORTED', () => first.archive('a', { signal }))
      await refuses('tombstone', 'ABORTED', () => first.tombstone('a', { signal }))
      const { token } = await put(first, one('a', 'none'))
      await refuses('waitFor', 'ABORTED', () => first.waitFor(token, { signal }))
      same('written', names(await logOf(first)), ['a@1'])
    }),
  },
  {
    promise: 1,
    name: 'keeps tenants apart: streams, tags, expectations and the log',
    run: onLog(async ({ first, second }) => {
      for (const tenant of ['', 'one', 'two'])
        await put(first, one('a', 'none', [tagged('seat')], { tenant, condition: nothingOf(0n, 'seat') }))
      same('of one', names(await streamOf(second, 'a', { tenant: 'one' })), ['a@1'])
      same(
        'its tenant',
        (await streamOf(second, 'a', { tenant: 'one' })).map(({ tenant }) => tenant),
        ['one'],
      )
      same('of nobody', await streamOf(second, 'a', { tenant: 'three' }), [])
      same(
        'the log of one',
        (await logOf(second, { tenant: 'one' })).map(({ position }) => position),
        [2n],
      )
      same(
        'the log without a tenant',
        (await logOf(second)).map(({ tenant }) => tenant),
        [''],
      )
      same(
        'the log of all',
        (await logOf(second, { tenant: '*' })).map(({ tenant }) => tenant),
        ['', 'one', 'two'],
      )
      const [verdict] = await second.append([one('b', 'any', [event()], { tenant: 'two', condition: nothingOf(0n, 'seat') })])
      same('a conflict tells only its own', verdict?.result === 'conflict' && verdict.missed.map(({ tenant }) => tenant), ['two'])
    }),
  },
  {
    promise: 1,
    name: 'counts what it does',
    run: onLog(async ({ first, second }) => {
      await first.append([one('a', 'none', [event(), event()]), one('a', 'none'), one('b', 'none')])
      await first.append([one('c', 'none')])
      const stats = await first.stats()
      same('counts', [stats.requests, stats.events, stats.conflicts, stats.unknown, stats.waiting], [4, 4, 1, 0, 0])
      check(`batches: ${stats.batches}`, stats.batches >= 2 && stats.batches <= 4)
      check(`sizes: ${stats.batchSizeMean} of ${stats.batchSizeMax}`, stats.batchSizeMean >= 1 && stats.batchSizeMax <= 3)
      check('at most the largest', stats.batchSizeMean <= stats.batchSizeMax)
      same('nothing waits', [stats.oldestWaitMs, stats.pendingJoined], [0, 0])
      same('each opening its own', (await second.stats()).requests, 0)
    }),
  },
]
