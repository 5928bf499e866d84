import type { AppendRequest } from '../../ports/event-store.ts'
import {
  type EventStoreCase,
  event,
  isGapless,
  logOf,
  names,
  nothingOf,
  one,
  onLog,
  passing,
  placeOf,
  put,
  receiptOf,
  streamOf,
  tagged,
  word,
  words,
} from './event-store-stand.ts'
import { check, refuses, same } from './kit.ts'

const needs = 'transactions'

/** `WAIT_TIMEOUT`: the write is not committed in time. */
const refusesLate = async (work: () => Promise<unknown>): Promise<void> => {
  await refuses('waitFor', 'WAIT_TIMEOUT', work)
}

export const joinCases: readonly EventStoreCase[] = [
  {
    promise: 6,
    name: 'commits joined events with the transaction, and nobody sees them before',
    needs,
    run: onLog(async ({ first, second, stand, begin }) => {
      await put(first, one('a'))
      const transaction = await begin()
      const receipt = receiptOf(await first.join(transaction.tx).append(one('a', 1, [event('joined'), event('joined')])))
      same('the receipt', [receipt.versions, receipt.position], [[3], undefined])
      same('not in the stream yet', names(await streamOf(second, 'a')), ['a@1'])
      same('nor in the log', names(await logOf(second)), ['a@1'])
      await transaction.commit()
      same('at once in the stream', names(await streamOf(second, 'a')), ['a@1', 'a@2', 'a@3'])
      same('its place', await passing(stand, second.waitFor(receipt.token)), 3n)
      const events = await logOf(second)
      isGapless('positions', events)
      same('in the log', names(events), ['a@1', 'a@2', 'a@3'])
      same('with its place in the stream', await streamOf(first, 'a'), events)
    }),
  },
  {
    promise: 6,
    name: 'lets joined events vanish with the transaction: versions, positions, tags and keys are free',
    needs,
    run: onLog(async ({ first, second, begin }) => {
      const request = one('a', 'none', [tagged('seat')], { idempotencyKey: 'k', condition: nothingOf(0n, 'seat') })
      const transaction = await begin()
      same('joined', word(await first.join(transaction.tx).append(request)), 'ok')
      await transaction.rollback()
      same('nothing', [await streamOf(second, 'a'), await logOf(second)], [[], []])
      const receipt = await put(second, request)
      same('again', [receipt.versions, receipt.position], [[1], 1n])
    }),
  },
  {
    promise: 6,
    name: 'gives joined events their place before anything that is appended later',
    needs,
    run: onLog(async ({ first, second, stand, begin }) => {
      for (let round = 0; round < 3; round++) {
        const transaction = await begin()
        const { token } = receiptOf(await first.join(transaction.tx).append(one(`joined ${round}`, 'none')))
        await transaction.commit()
        const place = placeOf(await put(second, one('plain')))
        const joined = await passing(stand, second.waitFor(token))
        check(`${joined} is before ${place}`, joined < place)
        same('a stream goes on after its joined events', words(await second.append([one(`joined ${round}`, 1)])), ['ok'])
      }
      isGapless('positions', await logOf(first))
    }),
  },
  {
    promise: 6,
    name: 'shows a transaction its own writes, and puts them in their order',
    needs,
    run: onLog(async ({ first, stand, begin }) => {
      const transaction = await begin()
      const joined = first.join(transaction.tx)
      const answers = [
        await joined.append(one('a', 'none', [tagged('seat')], { idempotencyKey: 'k' })),
        await joined.append(one('a', 1, [event(), event()])),
        await joined.append(one('a', 1)),
        await joined.append(one('b', 'none', [event()], { condition: nothingOf(0n, 'seat') })),
        await joined.append(one('a', 'none', [tagged('seat')], { idempotencyKey: 'k' })),
        await joined.append(one('b', 'none', [], {})),
        await joined.append(one('b', 'none')),
      ]
      same('verdicts', words(answers), ['ok', 'ok', 'conflict stream', 'conflict condition', 'duplicate', 'ok', 'ok'])
      const [, , stale, seat] = answers
      same('missed', stale?.result === 'conflict' && [stale.actual, names(stale.missed)], [3, ['a@2', 'a@3']])
      same('without a place', seat?.result === 'conflict' && seat.missed.map(({ position }) => position), [undefined])
      await transaction.commit()
      await passing(stand, first.waitFor(receiptOf(answers[6]).token))
      same('in order', names(await logOf(first)), ['a@1', 'a@2', 'a@3', 'b@1'])
    }),
  },
  {
    promise: 6,
    name: 'answers a conflict as a value, and the transaction goes on',
    needs,
    run: onLog(async ({ first, second, begin }) => {
      await put(second, one('a', 'none', [tagged('seat')]))
      const transaction = await begin()
      const joined = first.join(transaction.tx)
      const conflict = await joined.append(one('a', 'none'))
      same('the stream', conflict.result === 'conflict' && [conflict.reason, conflict.actual, names(conflict.missed)], [
        'stream',
        1,
        ['a@1'],
      ])
      same(
        'the condition',
        word(await joined.append(one('b', 'none', [event()], { condition: nothingOf(0n, 'seat') }))),
        'conflict condition',
      )
      same('a malformed one', word(await joined.append(one('', 'any'))), 'none INVALID_INPUT')
      same('the next', word(await joined.append(one('b', 'none'))), 'ok')
      await transaction.commit()
      same('written', names(await streamOf(second, 'b')), ['b@1'])
    }),
  },
  {
    promise: 6,
    name: 'counts joined requests as it answers them, in no batch',
    needs,
    run: onLog(async ({ first, begin }) => {
      const transaction = await begin()
      const joined = first.join(transaction.tx)
      same(
        'joined',
        [word(await joined.append(one('a', 'none', [event(), event()]))), word(await joined.append(one('a', 'none')))],
        ['ok', 'conflict stream'],
      )
      await transaction.rollback()
      const { requests, events, conflicts, batches, batchSizeMax, waiting } = await first.stats()
      same(
        'counts',
        { requests, events, conflicts, batches, batchSizeMax, waiting },
        {
          requests: 2,
          events: 2,
          conflicts: 1,
          batches: 0,
          batchSizeMax: 0,
          waiting: 0,
        },
      )
    }),
  },
  {
    promise: 6,
    name: 'counts committed events for expectations and conditions at once',
    needs,
    run: onLog(async ({ first, second, begin }) => {
      const transaction = await begin()
      await first.join(transaction.tx).append(one('a', 'none', [tagged('seat')]))
      await transaction.commit()
      same(
        'verdicts',
        words(await second.append([one('a', 'none'), one('b', 'none', [event()], { condition: nothingOf(0n, 'seat') }), one('a', 1)])),
        ['conflict stream', 'conflict condition', 'ok'],
      )
    }),
  },
  {
    promise: 6,
    name: 'repeats the answer to a joined key once it is committed',
    needs,
    run: onLog(async ({ first, second, begin }) => {
      const request = one('a', 'none', [event()], { idempotencyKey: 'k' })
      const transaction = await begin()
      const receipt = receiptOf(await first.join(transaction.tx).append(request))
      await transaction.commit()
      const [verdict] = await second.append([request])
      same('again', verdict?.result === 'duplicate' && [verdict.original.versions, verdict.original.token], [
        receipt.versions,
        receipt.token,
      ])
      await second.waitFor(receipt.token)
      const [later] = await first.append([request])
      same('with its place, once it has one', later?.result === 'duplicate' && later.original.position, 1n)
      const other = await begin()
      same('in another transaction', word(await second.join(other.tx).append(request)), 'duplicate')
      same(
        'another content',
        word(await second.join(other.tx).append(one('b', 'any', [event()], { idempotencyKey: 'k' }))),
        'none KEY_REUSED',
      )
    }),
  },
  {
    promise: 6,
    name: 'wakes who waits for a joined write, in another process, when it has its place',
    needs,
    run: onLog(async ({ first, second, stand, begin }) => {
      const transaction = await begin()
      const { token } = receiptOf(await first.join(transaction.tx).append(one('a')))
      const waiting = second.waitFor(token, { timeoutMs: 60_000 })
      waiting.catch(() => {})
      await refusesLate(() => passing(stand, second.waitFor(token, { timeoutMs: 20 })))
      await transaction.commit()
      same('its place', await passing(stand, waiting), 1n)
      const gone = await begin()
      const lost = receiptOf(await first.join(gone.tx).append(one('a')))
      await gone.rollback()
      await refusesLate(() => passing(stand, second.waitFor(lost.token, { timeoutMs: 20 })))
    }),
  },
  {
    promise: 6,
    name: 'shows joined events to subscribers once they have a place, after what was there before',
    needs,
    run: onLog(async ({ first, second, stand, begin }) => {
      const transaction = await begin()
      await first.join(transaction.tx).append(one('joined'))
      await transaction.commit()
      await put(second, one('plain'))
      const seen: string[] = []
      const follow = async (): Promise<void> => {
        for await (const { events } of first.subscribe()) {
          seen.push(...names(events))
          if (seen.length >= 2) break
        }
      }
      await passing(stand, follow())
      same('in order', seen, ['joined@1', 'plain@1'])
    }),
  },
  {
    promise: 6,
    name: 'refuses what is no open transaction, with nothing written',
    needs,
    run: onLog(async ({ first, begin }) => {
      const over = await begin()
      await over.commit()
      const undone = await begin()
      await undone.rollback()
      for (const [what, tx] of Object.entries({
        undefined: undefined,
        null: null,
        number: 42,
        text: 'tx',
        object: {},
        over: over.tx,
        undone: undone.tx,
      }))
        same(what, word(await first.join(tx).append(one('a'))), 'none TX_NOT_OPEN')
      same('nothing', await logOf(first), [])
    }),
  },
  {
    promise: 6,
    name: 'refuses a joined condition on the whole log: it would hold up everybody',
    needs,
    run: onLog(async ({ first, begin }) => {
      const transaction = await begin()
      const request: AppendRequest = one('a', 'any', [event()], { condition: { queries: 'whole-log', after: 0n } })
      same('verdict', word(await first.join(transaction.tx).append(request)), 'none INVALID_INPUT')
      same('the transaction goes on', word(await first.join(transaction.tx).append(one('a'))), 'ok')
      await transaction.commit()
      same('written', names(await streamOf(first, 'a')), ['a@1'])
    }),
  },
]
