import {
  type EventStoreCase,
  event,
  logOf,
  names,
  nothingOf,
  one,
  onLog,
  put,
  receiptOf,
  tagged,
  word,
  words,
} from './event-store-stand.ts'
import { same } from './kit.ts'

const RACERS = 12

export const conditionCases: readonly EventStoreCase[] = [
  {
    promise: 5,
    name: 'writes while nothing that matches has come after the position, and tells what has',
    run: onLog(async ({ first, second }) => {
      await put(first, one('a', 'none', [tagged('seat 1', 'show'), tagged('seat 2', 'show')]))
      const taken = async (after: bigint, ...tags: string[]) =>
        (await second.append([one('b', 'any', [event('held')], { condition: nothingOf(after, ...tags) })]))[0]
      const conflict = await taken(0n, 'seat 1')
      same('taken', conflict?.result === 'conflict' && [conflict.reason, names(conflict.missed), conflict.truncated], [
        'condition',
        ['a@1'],
        false,
      ])
      same('the event', conflict?.result === 'conflict' && conflict.missed, (await logOf(first)).slice(0, 1))
      same('seen already', word(await taken(1n, 'seat 1')), 'ok')
      same('one of two', word(await taken(1n, 'show')), 'conflict condition')
      same('both seen', word(await taken(2n, 'show')), 'ok')
      same('no event has all of the tags', word(await taken(0n, 'seat 1', 'seat 2')), 'ok')
      same('all of the tags', word(await taken(0n, 'show', 'seat 2')), 'conflict condition')
      same('nobody’s tag', word(await taken(0n, 'seat 3')), 'ok')
    }),
  },
  {
    promise: 5,
    name: 'goes by types where a query names some, and by any of its queries',
    run: onLog(async ({ first, second }) => {
      await put(first, one('a', 'none', [event('held', { tags: ['seat'] }), event('paid', { tags: ['order'] })]))
      const asked = async (...queries: { types?: string[]; tags: string[] }[]) =>
        word((await second.append([one('b', 'any', [event()], { condition: { queries, after: 0n } })]))[0])
      same('another type', await asked({ types: ['freed'], tags: ['seat'] }), 'ok')
      same('the type', await asked({ types: ['freed', 'held'], tags: ['seat'] }), 'conflict condition')
      same('none of both', await asked({ tags: ['x'] }, { types: ['held'], tags: ['order'] }), 'ok')
      same('the second', await asked({ tags: ['x'] }, { tags: ['order'] }), 'conflict condition')
      const verdict = (
        await second.append([one('b', 'any', [event()], { condition: { queries: [{ tags: ['order'] }, { tags: ['seat'] }], after: 0n } })])
      )[0]
      same('in order', verdict?.result === 'conflict' && names(verdict.missed), ['a@1', 'a@2'])
    }),
  },
  {
    promise: 5,
    name: 'lets exactly one of many racers on overlapping tags through',
    run: onLog(async ({ first, second, open }) => {
      const stores = [first, second, await open()]
      for (let round = 0; round < 4; round++) {
        const after = (await first.head()).position
        const racing = Array.from({ length: RACERS }, (_, n) =>
          (stores[n % stores.length] ?? first).append([
            one(`s${round}-${n}`, 'none', [tagged('seat', `by ${n}`)], { condition: nothingOf(after, 'seat') }),
          ]),
        )
        const verdicts = words((await Promise.all(racing)).flat())
        same('winners', verdicts.filter((verdict) => verdict === 'ok').length, 1)
        same('losers', verdicts.filter((verdict) => verdict === 'conflict condition').length, RACERS - 1)
      }
    }),
  },
  {
    promise: 5,
    name: 'lets racers on disjoint tags all through',
    run: onLog(async ({ first, second }) => {
      const racing = Array.from({ length: RACERS }, (_, n) =>
        (n % 2 === 0 ? first : second).append([one(`s${n}`, 'none', [tagged(`seat ${n}`)], { condition: nothingOf(0n, `seat ${n}`) })]),
      )
      same(
        'verdicts',
        words((await Promise.all(racing)).flat()),
        Array.from({ length: RACERS }, () => 'ok'),
      )
    }),
  },
  {
    promise: 5,
    name: 'sees what came before it in the same batch',
    run: onLog(async ({ first }) => {
      const condition = nothingOf(0n, 'seat')
      const verdicts = await first.append([
        one('a', 'none', [tagged('seat')], { condition }),
        one('b', 'none', [tagged('seat')], { condition }),
        one('c', 'none', [tagged('other')], { condition: nothingOf(0n, 'other') }),
      ])
      same('verdicts', words(verdicts), ['ok', 'conflict condition', 'ok'])
    }),
  },
  {
    promise: 5,
    name: 'takes the whole log of the tenant as a condition',
    run: onLog(async ({ first, second }) => {
      const whole = (after: bigint, tenant = '') => one('a', 'any', [event()], { condition: { queries: 'whole-log', after }, tenant })
      await put(first, one('b'))
      await put(first, one('b', 'any', [event()], { tenant: 't' }))
      same('something has come', words(await second.append([whole(0n)])), ['conflict condition'])
      const [verdict] = await second.append([whole(0n)])
      same('only its own', verdict?.result === 'conflict' && verdict.missed.map(({ tenant }) => tenant), [''])
      same('all seen', words(await second.append([whole(2n), whole(2n)])), ['ok', 'conflict condition'])
      same('of another tenant', words(await second.append([whole(2n, 't')])), ['ok'])
      const racing = Array.from({ length: RACERS }, (_, n) => (n % 2 === 0 ? first : second).append([whole(4n)]))
      const verdicts = words((await Promise.all(racing)).flat())
      same('winners', verdicts.filter((one) => one === 'ok').length, 1)
    }),
  },
  {
    promise: 5,
    name: 'tells at most 100 of the events that match, the first ones',
    run: onLog(async ({ first }) => {
      await put(
        first,
        one(
          'a',
          'none',
          Array.from({ length: 150 }, () => tagged('seat')),
        ),
      )
      const [verdict] = await first.append([one('b', 'any', [event()], { condition: nothingOf(20n, 'seat') })])
      if (verdict?.result !== 'conflict') throw new Error(`expected a conflict, got ${word(verdict)}`)
      same('missed', [verdict.missed.length, verdict.missed[0]?.position, verdict.truncated], [100, 21n, true])
    }),
  },
  {
    promise: 5,
    name: 'holds expectations and the condition of one request together',
    run: onLog(async ({ first }) => {
      await put(first, one('a', 'none', [tagged('seat')]))
      const verdicts = await first.append([
        one('b', 'exists', [event()], { condition: nothingOf(1n, 'seat') }),
        one('b', 'none', [event()], { condition: nothingOf(0n, 'seat') }),
        one('b', 'none', [event()], { condition: nothingOf(1n, 'seat') }),
      ])
      same('verdicts', words(verdicts), ['conflict stream', 'conflict condition', 'ok'])
      same('versions', receiptOf(verdicts[2]).versions, [1])
    }),
  },
  {
    promise: 10,
    name: 'answers LOG_RESET to a condition from past the head',
    run: onLog(async ({ first }) => {
      await put(first, one('a', 'none', [tagged('seat')]))
      same('verdict', words(await first.append([one('a', 'any', [event()], { condition: nothingOf(9n, 'seat') }), one('a')])), [
        'none LOG_RESET',
        'ok',
      ])
    }),
  },
]
