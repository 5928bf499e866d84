import type { SagaFilter, SagaHead, SagaJournal } from '../../ports/saga-journal.ts'
import {
  created,
  creation,
  extension,
  fenceOf,
  headOf,
  LEASE_MS,
  type MakeSagaJournalStore,
  onStore,
  record,
  words,
} from './journal-store.ts'
import { type ContractCase, check, refuses, same } from './kit.ts'

const ids = (heads: readonly SagaHead[]): string[] => heads.map((head) => head.id)

/** In the order of their UTF-8 bytes: U+FF5E sorts before U+1F600, though not by UTF-16 units. */
const ORDERED = [
  '',
  '\u0000',
  'A',
  'A\u0000',
  'A\u0000b',
  'Ab',
  'a',
  'ä',
  '\ud7ff',
  '\ue000',
  '\uff5e',
  '\u{1f600}',
  '\u{1f600}x',
  '\u{10ffff}',
]

/** Every method but `close`, and `open` where asked for, called with whatever fits. */
const calls = (journal: SagaJournal, signal?: AbortSignal): Record<string, () => Promise<unknown>> => ({
  append: () => journal.append([creation('x')], signal),
  'append of nothing': () => journal.append([], signal),
  claim: () => journal.claim('one', { shards: 1, leaseMs: LEASE_MS, ...(signal && { signal }) }),
  release: () => journal.release('one', signal),
  head: () => journal.head('a', signal),
  read: () => journal.read('a', signal),
  list: () => journal.list({}, signal),
})

const lists: readonly ContractCase<MakeSagaJournalStore>[] = [
  {
    promise: 10,
    name: 'lists by id in code point order, page after page',
    run: onStore(async (journal) => {
      await created(journal, ...[...ORDERED].reverse())
      same('all', ids(await journal.list({})), ORDERED)
      for (const limit of [1, 3, 5]) {
        const seen: string[] = []
        for (
          let page = await journal.list({ limit });
          page.length > 0;
          page = await journal.list({ limit, afterId: seen.at(-1) as string })
        ) {
          check(`at most ${limit}`, page.length <= limit)
          seen.push(...ids(page))
        }
        same(`pages of ${limit}`, seen, ORDERED)
      }
    }),
  },
  {
    promise: 10,
    name: 'lists what the filter asks for',
    run: onStore(async (journal) => {
      await journal.append([
        creation('a'),
        creation('b', { shard: 1 }),
        creation('c', { saga: 'refund' }),
        creation('d', { shard: 1, saga: 'refund' }),
      ])
      const fence = await fenceOf(journal, 'one')
      await journal.append([extension('a', 2, fence, { state: 'done' }), extension('c', 2, fence, { state: 'stuck' })])
      const asked: [SagaFilter, string[]][] = [
        [{ saga: 'refund' }, ['c', 'd']],
        [{ states: ['running'] }, ['b', 'd']],
        [{ states: ['done', 'stuck'] }, ['a', 'c']],
        [{ states: ['undoing', 'stuck'], shard: 0 }, ['c']],
        [{ states: [] }, []],
        [{ shard: 1 }, ['b', 'd']],
        [{ shard: 1, saga: 'refund', states: ['running'] }, ['d']],
        [{ shard: 1, afterId: 'b' }, ['d']],
        [{ states: ['running', 'stuck'], afterId: 'b', limit: 1 }, ['c']],
        [{ saga: 'unheard of' }, []],
      ]
      for (const [filter, expected] of asked) same(JSON.stringify(filter), ids(await journal.list(filter)), expected)
      same('heads', await journal.list({ states: ['running'], shard: 1, limit: 1 }), [headOf('b', { shard: 1 })])
    }),
  },
  {
    promise: 10,
    name: 'refuses a limit out of range, and lists 100 where none is given',
    run: onStore(async (journal) => {
      await created(journal, ...Array.from({ length: 101 }, (_, n) => `n${n}`))
      same('by default', (await journal.list({})).length, 100)
      for (const limit of [0, 10_001, 1.5]) await refuses(`limit ${limit}`, 'INVALID_OPTIONS', () => journal.list({ limit }))
    }),
  },
  {
    promise: 10,
    name: 'knows nothing of an id that does not exist',
    run: onStore(async (journal) => {
      same('head', await journal.head('nobody'), undefined)
      same('records', await journal.read('nobody'), [])
    }),
  },
]

const ends: readonly ContractCase<MakeSagaJournalStore>[] = [
  {
    promise: 11,
    name: 'answers NOT_STARTED before it is opened and after it is closed',
    run: onStore(async (first, _, store) => {
      const journal = store.journal()
      for (const [name, call] of Object.entries(calls(journal))) await refuses(`${name}, unopened`, 'NOT_STARTED', call)
      await journal.open()
      for (const call of Object.values(calls(journal))) await call()
      await journal.close()
      for (const [name, call] of Object.entries(calls(journal))) {
        const { effect, retry } = await refuses(`${name}, closed`, 'NOT_STARTED', call)
        same(name, [effect, retry], ['none', 'later'])
      }
      same('nothing more was written', (await first.list({})).length, 1)
    }),
  },
  {
    promise: 11,
    name: 'opens and closes any number of times, and finds everything again',
    run: onStore(async (journal) => {
      await created(journal, 'a')
      await Promise.all([journal.open(), journal.open()])
      await journal.close()
      await journal.close()
      await Promise.all([journal.open(), journal.open()])
      same('records', await journal.read('a'), [record(1)])
    }),
  },
]

const texts: readonly ContractCase<MakeSagaJournalStore>[] = [
  {
    promise: 12,
    name: 'keeps ids and data of any well-formed text',
    run: onStore(async (journal, second) => {
      for (const id of ORDERED) {
        const first = record(1, { kind: `k${id}`, step: id, data: JSON.stringify(id) + id, atEpochMs: 1_767_225_600_000.25 })
        const create = { saga: id, version: Number.MAX_SAFE_INTEGER, definitionHash: id, inputHash: id, shard: 0 }
        same('written', words(await journal.append([{ id, records: [first], state: 'running', create }])), ['ok'])
        same('read', await second.read(id), [first])
        const head = { id, ...create, state: 'running', seq: 1, startedEpochMs: first.atEpochMs, updatedEpochMs: first.atEpochMs }
        same('head', await second.head(id), head)
        same('listed', await second.list({ saga: id }), [head])
        same('taken', await second.append([creation(id)]), [{ ok: false, reason: 'exists', head }])
      }
    }),
  },
  {
    promise: 12,
    name: 'refuses lone surrogates before anything of the batch is written',
    run: onStore(async (journal) => {
      const lone = ['\ud800', 'a\udc00b', '\udc00\ud800', 'x\ud83d']
      for (const text of lone) {
        const bad = [
          creation(text),
          creation('b', { saga: text }),
          { ...creation('b'), records: [record(1, { data: `"${text}"` })] },
          { ...creation('b'), records: [record(1, { step: text })] },
          { ...creation('b'), records: [record(1, { kind: text })] },
        ]
        for (const write of bad) {
          const { effect } = await refuses(JSON.stringify(write), 'NOT_JSON', () => journal.append([creation('a'), write]))
          same('effect', effect, 'none')
        }
        await refuses('head', 'NOT_JSON', () => journal.head(text))
        await refuses('read', 'NOT_JSON', () => journal.read(text))
        await refuses('owner', 'NOT_JSON', () => journal.claim(text, { shards: 1, leaseMs: LEASE_MS }))
      }
      same('nothing was written', await journal.list({}), [])
    }),
  },
  {
    promise: 13,
    name: 'leaves at once when the signal has aborted',
    run: onStore(async (journal, _, store) => {
      const signal = AbortSignal.abort(new Error('enough'))
      for (const [name, call] of Object.entries(calls(journal, signal))) {
        const { effect } = await refuses(name, 'ABORTED', call)
        if (!name.startsWith('append')) same(name, effect, 'none')
        else if (effect === 'none') same('nothing was written', await journal.head('x'), undefined)
      }
      const unopened = store.journal()
      await refuses('open', 'ABORTED', () => unopened.open(signal))
      await refuses('and stays unopened', 'NOT_STARTED', () => unopened.head('a'))
    }),
  },
]

export const readCases: readonly ContractCase<MakeSagaJournalStore>[] = [...lists, ...ends, ...texts]
