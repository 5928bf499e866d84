import {
  type EventStoreCase,
  event,
  logOf,
  names,
  nothingOf,
  one,
  onLog,
  passing,
  receiptOf,
  streamOf,
  tagged,
  word,
  words,
} from './event-store-stand.ts'
import { refuses, same } from './kit.ts'

export const heldCases: readonly EventStoreCase[] = [
  {
    promise: 5,
    name: 'holds up who asks for the stream, a tag or the key of an open transaction, until a bound, and nobody else',
    needs: 'others',
    run: onLog(async ({ first, second, stand, begin }) => {
      const transaction = await begin()
      await first.join(transaction.tx).append(one('held', 'any', [tagged('seat')], { idempotencyKey: 'k' }))
      const asked = second.append(
        [
          one('held', 'any'),
          one('free', 'any'),
          one('b', 'any', [tagged('seat')]),
          one('c', 'any', [event()], { condition: nothingOf(0n, 'seat') }),
          one('d', 'any', [event()], { idempotencyKey: 'k' }),
          one('held', 'any', [event()], { tenant: 'another' }),
          one('e', 'any', [tagged('other')], { condition: nothingOf(0n, 'other') }),
        ],
        { timeoutMs: 100 },
      )
      const busy = 'none STREAM_BUSY'
      same('verdicts', words(await passing(stand, asked)), [busy, 'ok', busy, busy, busy, 'ok', 'ok'])
      same('others at once', words(await first.append([one('free', 1)], { timeoutMs: 100 })), ['ok'])
      same('readers go on', names(await logOf(second)), ['free@1', 'e@1', 'free@2'])
      await transaction.commit()
      same('free again', words(await second.append([one('held', 1)])), ['ok'])
    }),
  },
  {
    promise: 5,
    name: 'decides what it has held up by what the transaction became',
    needs: 'others',
    run: onLog(async ({ first, second, stand, begin }) => {
      for (const end of ['commit', 'rollback'] as const) {
        const transaction = await begin()
        const after = (await first.head()).position
        await first.join(transaction.tx).append(one(end, 'none', [tagged(end)]))
        const asked = second.append([one(end, 'none'), one(`${end} 2`, 'none', [event()], { condition: nothingOf(after, end) })], {
          timeoutMs: 60_000,
        })
        await stand.passMs(30)
        await transaction[end]()
        const expected = end === 'commit' ? ['conflict stream', 'conflict condition'] : ['ok', 'ok']
        same(end, words(await passing(stand, asked)), expected)
      }
    }),
  },
  {
    promise: 5,
    name: 'bounds the wait of one transaction for another, and both go on',
    needs: 'others',
    run: onLog(async ({ first, second, stand, begin }) => {
      const [mine, yours] = [await begin(), await begin()]
      await first.join(mine.tx).append(one('a'))
      await second.join(yours.tx).append(one('b'))
      const crossing = Promise.all([
        first.join(mine.tx).append(one('b'), { timeoutMs: 100 }),
        second.join(yours.tx).append(one('a'), { timeoutMs: 100 }),
      ])
      same('both', words(await passing(stand, crossing)), ['none STREAM_BUSY', 'none STREAM_BUSY'])
      same('goes on', word(await first.join(mine.tx).append(one('c'))), 'ok')
      await mine.commit()
      await yours.commit()
      same('written', (await Promise.all(['a', 'b', 'c'].map((name) => streamOf(first, name)))).flatMap(names), ['a@1', 'b@1', 'c@1'])
    }),
  },
  {
    promise: 11,
    name: 'ends a wait with its signal, with nothing written',
    needs: 'others',
    run: onLog(async ({ first, second, stand, begin }) => {
      const transaction = await begin()
      await first.join(transaction.tx).append(one('held'))
      const caller = new AbortController()
      const asked = second.append([one('held'), one('free')], { signal: caller.signal, timeoutMs: 60_000 })
      const waiting = second.waitFor(receiptOf(await first.join(transaction.tx).append(one('held'))).token, { signal: caller.signal })
      waiting.catch(() => {})
      await stand.passMs(30)
      caller.abort()
      same('verdicts', words(await passing(stand, asked)), ['none ABORTED', 'ok'])
      await refuses('waitFor', 'ABORTED', () => waiting)
      await transaction.commit()
      same('only the transaction’s', names(await streamOf(second, 'held')), ['held@1', 'held@2'])
    }),
  },
  {
    promise: 9,
    name: 'does not close or cut a stream under an open transaction that writes to it',
    needs: 'others',
    run: onLog(async ({ first, second, stand, begin }) => {
      const transaction = await begin()
      await first.join(transaction.tx).append(one('a'))
      await first.join(transaction.tx).append(one('b'))
      const closing = [second.archive('a'), second.tombstone('b')]
      await stand.passMs(30)
      await transaction.commit()
      await passing(stand, Promise.all(closing))
      same('what was committed', [names(await streamOf(second, 'a')), await streamOf(second, 'b')], [['a@1'], []])
      same('closed', words(await second.append([one('a'), one('b')])), ['none STREAM_ARCHIVED', 'none STREAM_TOMBSTONED'])
    }),
  },
]
