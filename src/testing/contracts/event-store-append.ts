import type { AppendRequest, Expectation } from '../../ports/event-store.ts'
import {
  type EventStoreCase,
  event,
  isGapless,
  logOf,
  names,
  one,
  onLog,
  placeOf,
  put,
  receiptOf,
  streamOf,
  words,
} from './event-store-stand.ts'
import { check, same } from './kit.ts'

const RACERS = 12
const ROUNDS = 5
const many = (count: number, type = 'placed') => Array.from({ length: count }, (_, n) => event(type, { data: n }))

/** What JSON keeps, and an engine has to. */
const TRICKY = {
  '': 'empty key',
  text: 'Zoë \u0000 \ud800 𝄞 "quoted" \\u0000 \u2028',
  numbers: [0, -1, 0.1, 1e21, 1e-7, Number.MAX_VALUE, Number.MIN_VALUE, Number.MAX_SAFE_INTEGER],
  nested: { list: [null, true, false, [], {}], deep: { deeper: { deepest: 1 } } },
  "quote'": "it's",
}

export const appendCases: readonly EventStoreCase[] = [
  {
    promise: 1,
    name: 'answers each request of a batch on its own, in order, and a loser harms no neighbour',
    run: onLog(async ({ first, second }) => {
      await put(first, one('taken', 'none'))
      const verdicts = await first.append([
        one('a', 'none', many(2)),
        one('taken', 'none'),
        one('b', 7),
        one('', 'any'),
        one('c', 'exists'),
        one('taken', 1),
      ])
      same('verdicts', words(verdicts), ['ok', 'conflict stream', 'conflict stream', 'none INVALID_INPUT', 'conflict stream', 'ok'])
      same('versions', receiptOf(verdicts[0]).versions, [2])
      same('seen by another', names(await logOf(second)), ['taken@1', 'a@1', 'a@2', 'taken@2'])
    }),
  },
  {
    promise: 1,
    name: 'decides requests on one stream in the order of the batch, each after those before it',
    run: onLog(async ({ first }) => {
      const verdicts = await first.append([one('a', 'none'), one('a', 1), one('a', 1), one('a', 'any'), one('a', 'none'), one('a', 3)])
      same('verdicts', words(verdicts), ['ok', 'ok', 'conflict stream', 'ok', 'conflict stream', 'ok'])
      same(
        'versions',
        [0, 1, 3, 5].map((at) => receiptOf(verdicts[at]).versions),
        [[1], [2], [3], [4]],
      )
      same('written', names(await streamOf(first, 'a')), ['a@1', 'a@2', 'a@3', 'a@4'])
    }),
  },
  {
    promise: 1,
    name: 'decides calls of one process on one stream in the order in which they came',
    run: onLog(async ({ first }) => {
      const calls = Array.from({ length: 20 }, (_, n) => first.append([one('a', n, [event('placed', { data: n })])]))
      same(
        'verdicts',
        words((await Promise.all(calls)).flat()),
        Array.from({ length: 20 }, () => 'ok'),
      )
      same(
        'in order',
        (await streamOf(first, 'a')).map(({ data }) => data),
        Array.from({ length: 20 }, (_, n) => n),
      )
    }),
  },
  {
    promise: 1,
    name: 'answers nothing to no requests',
    run: onLog(async ({ first }) => {
      same('verdicts', await first.append([]), [])
      same('written', await logOf(first), [])
    }),
  },
  {
    promise: 1,
    name: 'gives back what was handed in, byte for byte, whatever becomes of the object',
    run: onLog(async ({ first, second, stand }) => {
      await stand.passMs(1)
      const data = structuredClone(TRICKY)
      const metadata = { correlationId: 'c', nested: { tricky: TRICKY.text } }
      const given = { type: 'Zoë’s order', data, metadata, tags: ['b', 'a', 'b', "t'ag"], id: 'id 1' }
      const expected = structuredClone({ ...given, tags: ['a', 'b', "t'ag"] })
      const appended = first.append([one("stream '1' ü", 'none', [given, event('second', { data: null })])])
      data.text = 'changed'
      metadata.correlationId = 'changed'
      given.tags.push('changed')
      same('verdict', words(await appended), ['ok'])
      const [stored, next] = await streamOf(second, "stream '1' ü")
      const { position, recordedEpochMs, ...content } = stored ?? {}
      same('as handed in', content, { ...expected, stream: "stream '1' ü", version: 1, tenant: '' })
      same('its place', position, 1n)
      check('when', Number.isSafeInteger(recordedEpochMs) && (recordedEpochMs ?? 0) > Date.UTC(2020, 0, 1))
      same('defaults', { data: next?.data, metadata: next?.metadata, tags: next?.tags }, { data: null, metadata: {}, tags: [] })
      check('an id of its own', typeof next?.id === 'string' && next.id.length > 0 && next.id !== 'id 1')
      ;(stored?.data as { text: string }).text = 'changed by a reader'
      same('again', (await streamOf(second, "stream '1' ü"))[0]?.data, expected.data)
    }),
  },
  {
    promise: 2,
    name: 'holds a write to its expectation',
    run: onLog(async ({ first, second }) => {
      await put(first, one('a', 'none', many(3)))
      const asked: readonly (readonly [string, Expectation, string])[] = [
        ['a', 'none', 'conflict stream'],
        ['a', 0, 'conflict stream'],
        ['a', 2, 'conflict stream'],
        ['a', 4, 'conflict stream'],
        ['b', 'exists', 'conflict stream'],
        ['b', 1, 'conflict stream'],
        ['a', 3, 'ok'],
        ['a', 'exists', 'ok'],
        ['a', 'any', 'ok'],
        ['b', 0, 'ok'],
        ['c', 'any', 'ok'],
        ['d', 'none', 'ok'],
      ]
      for (const [stream, expect, answer] of asked) same(`${stream} ${expect}`, words(await second.append([one(stream, expect)])), [answer])
      same(
        'versions',
        (await logOf(first)).filter(({ stream }) => stream === 'a').map(({ version }) => version),
        [1, 2, 3, 4, 5, 6],
      )
    }),
  },
  {
    promise: 2,
    name: 'lets exactly one of many racers in several processes through',
    run: onLog(async ({ first, second, open }) => {
      const stores = [first, second, await open()]
      for (let round = 0; round < ROUNDS; round++) {
        const racing = Array.from({ length: RACERS }, (_, n) =>
          (stores[n % stores.length] ?? first).append([one('a', round, [event('placed', { data: n })])]),
        )
        const verdicts = (await Promise.all(racing)).flat()
        const winners = verdicts.filter(({ result }) => result === 'ok')
        same(`round ${round}: winners`, winners.length, 1)
        same(`round ${round}: losers`, verdicts.filter(({ result }) => result === 'conflict').length, RACERS - 1)
        const winner = verdicts.findIndex(({ result }) => result === 'ok')
        for (const verdict of verdicts)
          if (verdict.result === 'conflict')
            same(`round ${round}: what it missed`, [verdict.actual, verdict.missed.map(({ data }) => data)], [round + 1, [winner]])
      }
      same('written', (await streamOf(first, 'a')).length, ROUNDS)
    }),
  },
  {
    promise: 2,
    name: "never lets 'any' conflict, however many race",
    run: onLog(async ({ first, second, open }) => {
      const stores = [first, second, await open()]
      const racing = Array.from({ length: RACERS * 2 }, (_, n) => (stores[n % stores.length] ?? first).append([one('a', 'any', many(2))]))
      same(
        'verdicts',
        words((await Promise.all(racing)).flat()),
        Array.from({ length: RACERS * 2 }, () => 'ok'),
      )
      const events = await streamOf(first, 'a')
      same(
        'versions',
        events.map(({ version }) => version),
        events.map((_, i) => i + 1),
      )
      same('all', events.length, RACERS * 4)
    }),
  },
  {
    promise: 2,
    name: 'tells the loser what it has not seen: the events after its version, at most 100',
    run: onLog(async ({ first, second }) => {
      await put(first, one('a', 'none', many(150)))
      const [some, cut, whole, beyond, absent] = await second.append([
        one('a', 147),
        one('a', 10),
        one('a', 'none'),
        one('a', 200),
        one('b', 'exists'),
      ])
      if (some?.result !== 'conflict' || cut?.result !== 'conflict' || whole?.result !== 'conflict') throw new Error('expected conflicts')
      same('some', [some.stream, some.actual, names(some.missed), some.truncated], ['a', 150, ['a@148', 'a@149', 'a@150'], false])
      same('the same events', some.missed, await streamOf(first, 'a', { fromVersion: 148 }))
      same('cut', [cut.missed.length, cut.missed[0]?.version, cut.missed.at(-1)?.version, cut.truncated], [100, 11, 110, true])
      same('from the beginning', [whole.missed.length, whole.missed[0]?.version, whole.truncated], [100, 1, true])
      same('expected more than there is', beyond, {
        result: 'conflict',
        reason: 'stream',
        stream: 'a',
        actual: 150,
        missed: [],
        truncated: false,
      })
      same('there is none', absent, { result: 'conflict', reason: 'stream', stream: 'b', actual: 0, missed: [], truncated: false })
      const exact = (await second.append([one('a', 50)]))[0]
      same('exactly 100', exact?.result === 'conflict' && [exact.missed.length, exact.truncated], [100, false])
    }),
  },
  {
    promise: 2,
    name: 'only checks a stream where a write has no events, and tells the head',
    run: onLog(async ({ first, second }) => {
      await put(first, one('a', 'none', many(2)))
      const verdicts = await second.append([one('a', 2, []), one('a', 1, []), one('b', 'none', []), one('b', 'exists', [])])
      same('verdicts', words(verdicts), ['ok', 'conflict stream', 'ok', 'conflict stream'])
      const [checked, , absent] = verdicts
      same('versions', [receiptOf(checked).versions, receiptOf(absent).versions], [[2], [0]])
      same('the head', placeOf(receiptOf(checked)), 2n)
      same('nothing more', (await logOf(first)).length, 2)
      same('still not there', await streamOf(first, 'b'), [])
    }),
  },
  {
    promise: 5,
    name: 'writes to several streams together or to none',
    run: onLog(async ({ first, second }) => {
      await put(first, one('c', 'none'))
      const both = (a: Expectation, b: Expectation, c: Expectation): AppendRequest => ({
        writes: [
          { stream: 'a', expect: a, events: many(2, 'x') },
          { stream: 'b', expect: b, events: many(1, 'y') },
          { stream: 'c', expect: c, events: [] },
        ],
      })
      const verdicts = await second.append([both('none', 'none', 5), both('none', 'exists', 1), both('none', 'none', 1), both(2, 9, 1)])
      same('verdicts', words(verdicts), ['conflict stream', 'conflict stream', 'ok', 'conflict stream'])
      const [check5, missing, , nine] = verdicts
      same(
        'whose',
        [check5, missing, nine].map((verdict) => verdict?.result === 'conflict' && verdict.stream),
        ['c', 'b', 'b'],
      )
      same('versions', receiptOf(verdicts[2]), { ...receiptOf(verdicts[2]), versions: [2, 1, 1], position: 4n })
      const events = await logOf(first)
      isGapless('positions', events)
      same('written', names(events), ['c@1', 'a@1', 'a@2', 'b@1'])
    }),
  },
  {
    promise: 5,
    name: 'lets exactly one of many racers over crossing pairs of streams through',
    run: onLog(async ({ first, second, open }) => {
      const stores = [first, second, await open()]
      const racing = Array.from({ length: RACERS }, (_, n) => {
        const streams = n % 2 === 0 ? ['a', 'b'] : ['b', 'a']
        return (stores[n % stores.length] ?? first).append([
          { writes: streams.map((stream) => ({ stream, expect: 'none' as const, events: [event()] })) },
        ])
      })
      const verdicts = words((await Promise.all(racing)).flat())
      same('winners', verdicts.filter((verdict) => verdict === 'ok').length, 1)
      same('losers', verdicts.filter((verdict) => verdict === 'conflict stream').length, RACERS - 1)
      same('written', (await logOf(first)).length, 2)
    }),
  },
]
