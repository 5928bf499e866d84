import type { KeyEntry, KeyFilter, KeyValue } from '../../ports/key-value.ts'
import { LONE, type MakeKeyValue, ORDERED, onKeys, plain, revisionOf, TTL_MS } from './key-value-stand.ts'
import { type ContractCase, check, refuses, same } from './kit.ts'

const keys = (entries: readonly KeyEntry[]): string[] => entries.map(({ key }) => key)

const putAll = async (keyValue: KeyValue, all: readonly string[]): Promise<void> => {
  for (const key of all) await revisionOf(keyValue.put(key, `of ${key}`))
}

/** Page after page. */
async function pages(keyValue: KeyValue, filter: KeyFilter & { readonly limit: number }): Promise<string[]> {
  const seen: string[] = []
  let page = await keyValue.list(filter)
  while (page.length > 0) {
    check(`at most ${filter.limit}`, page.length <= filter.limit)
    seen.push(...keys(page))
    page = await keyValue.list({ ...filter, afterKey: seen.at(-1) as string })
  }
  return seen
}

const lists: readonly ContractCase<MakeKeyValue>[] = [
  {
    promise: 7,
    name: 'lists keys in code point order, page after page',
    run: onKeys(async (first, second) => {
      await putAll(first, [...ORDERED].reverse())
      const all = await second.list()
      same('all', keys(all), ORDERED)
      for (const entry of all) same('as get answers', plain(entry), plain(await first.get(entry.key)))
      for (const limit of [1, 3, 7]) same(`pages of ${limit}`, await pages(second, { limit }), ORDERED)
      same('after a key that is not there', keys(await first.list({ afterKey: '\uff5f', limit: 2 })), ['\u{1f600}', '\u{1f600}x'])
      same('after the last', await first.list({ afterKey: '\u{10ffff}' }), [])
    }),
  },
  {
    promise: 7,
    name: 'lists only keys that begin with the prefix, whatever characters it has',
    run: onKeys(async (first, second) => {
      await putAll(first, ORDERED)
      for (const prefix of ['A', 'A\u0000', 'a', '*', '%', '_', '[', '\\', '{a}', '\u{1f600}', 'none of it'])
        for (const limit of [1, 100]) {
          const expected = ORDERED.filter((key) => key.startsWith(prefix))
          same(`${JSON.stringify(prefix)}, ${limit}`, await pages(second, { prefix, limit }), expected)
        }
      same('after a key before them', keys(await first.list({ prefix: 'a', afterKey: 'A', limit: 1 })), ['a'])
      same('after a key behind them', await first.list({ prefix: 'a', afterKey: 'b' }), [])
    }),
  },
  {
    promise: 7,
    name: 'lists once what is there all the while, however much comes and goes meanwhile',
    run: onKeys(async (first, second) => {
      const stay = Array.from({ length: 20 }, (_, n) => `k${String(n * 2).padStart(2, '0')}`)
      await putAll(first, stay)
      const seen: string[] = []
      for (
        let page = await second.list({ limit: 3 });
        page.length > 0;
        page = await second.list({ limit: 3, afterKey: seen.at(-1) as string })
      ) {
        seen.push(...keys(page))
        const n = seen.length
        await putAll(first, [`k${String(n).padStart(2, '0')}x`, 'a', 'z'])
        if (n % 2 === 0) await first.delete('a')
      }
      same(
        'the ones that stay',
        seen.filter((key) => stay.includes(key)),
        stay,
      )
    }),
  },
  {
    promise: 7,
    name: 'lists 100 unless told otherwise, 1,000 at most, and refuses a limit out of range',
    run: onKeys(async (first) => {
      await Promise.all(Array.from({ length: 101 }, (_, n) => first.put(`n${n}`, '')))
      same('by default', (await first.list()).length, 100)
      same('all', (await first.list({ limit: 1_000 })).length, 101)
      for (const limit of [0, 1_001, 1.5]) await refuses(`limit ${limit}`, 'INVALID_OPTIONS', () => first.list({ limit }))
    }),
  },
]

const texts: readonly ContractCase<MakeKeyValue>[] = [
  {
    promise: 9,
    name: 'keeps keys and values byte for byte',
    run: onKeys(async (first, second) => {
      const values = ['', ...ORDERED, ORDERED.join(''), '\u0000'.repeat(9), '\ufeffbom', '{"a":[1,"\\u0000"]}']
      for (const [n, value] of values.entries()) {
        const key = `${ORDERED[n % ORDERED.length]}${n}`
        const revision = await revisionOf(first.put(key, value))
        same(JSON.stringify(value), plain(await second.get(key)), { key, value, revision })
        const refused = await second.put(key, 'x', { expect: 'none' })
        same('told to a loser', refused, { ok: false, entry: { key, value, revision } })
      }
    }),
  },
  {
    promise: 9,
    name: 'keeps the longest keys and values, and refuses longer ones',
    run: onKeys(async (first, second, stand) => {
      const { valueMaxBytes = 1_048_576 } = stand
      for (const key of ['k'.repeat(512), 'ä'.repeat(256), '\u{1f600}'.repeat(128)]) {
        await revisionOf(first.put(key, 'x'))
        same('kept', (await second.get(key))?.key, key)
        await refuses('longer', 'INVALID_INPUT', () => first.put(`${key}k`, 'x'))
      }
      for (const unit of ['v', '\u{1f600}']) {
        const value = unit.repeat(valueMaxBytes / Buffer.byteLength(unit))
        await revisionOf(first.put('long', value))
        check('kept whole', (await second.get('long'))?.value === value)
        const { effect } = await refuses('a longer value', 'INVALID_INPUT', () => first.put('long', `${value}v`))
        same('effect', effect, 'none')
      }
    }),
  },
  {
    promise: 9,
    name: 'refuses what is no key, no value, no time and no revision, effect none',
    run: onKeys(async (first) => {
      const odd = (value: unknown): never => value as never
      const refused: Record<string, () => Promise<unknown>> = {
        'an empty key': () => first.put('', 'x'),
        'no key': () => first.get(odd(undefined)),
        'a number for a key': () => first.delete(odd(1)),
        'an empty key to add to': () => first.increment('', 1),
        'a number for a value': () => first.put('a', odd(1)),
        'no value': () => first.put('a', odd(undefined)),
        'a long key': () => first.get('k'.repeat(513)),
      }
      for (const ttlMs of [0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, odd('9')]) {
        refused[`ttlMs ${ttlMs}`] = () => first.put('a', 'x', { ttlMs })
        refused[`ttlMs ${ttlMs} of increment`] = () => first.increment('a', 1, { ttlMs })
      }
      for (const revision of [0, -1, 1.5, odd('some')]) {
        refused[`expect ${revision}`] = () => first.put('a', 'x', { expect: revision })
        refused[`revision ${revision}`] = () => first.delete('a', { revision })
      }
      for (const [name, call] of Object.entries(refused)) same(name, (await refuses(name, 'INVALID_INPUT', call)).effect, 'none')
      for (const text of LONE) {
        const lone = [
          () => first.put(text, 'x'),
          () => first.put('a', text),
          () => first.get(text),
          () => first.delete(text),
          () => first.increment(text, 1),
          () => first.list({ prefix: text }),
          () => first.list({ afterKey: text }),
        ]
        for (const call of lone) same(JSON.stringify(text), (await refuses(JSON.stringify(text), 'NOT_JSON', call)).effect, 'none')
      }
      same('nothing was written', await first.list(), [])
    }),
  },
]

/** Every method but `close` and `open`, called with whatever fits. */
const calls = (keyValue: KeyValue, signal?: AbortSignal): Record<string, () => Promise<unknown>> => {
  const options = signal === undefined ? {} : { signal }
  return {
    get: () => keyValue.get('a', signal),
    put: () => keyValue.put('x', 'x', options),
    increment: () => keyValue.increment('n', 1, { ttlMs: TTL_MS, ...options }),
    delete: () => keyValue.delete('b', options),
    list: () => keyValue.list(options),
  }
}

const step = (keyValue: KeyValue, signal?: AbortSignal): Promise<unknown> => keyValue.watch('', signal)[Symbol.asyncIterator]().next()

const ends: readonly ContractCase<MakeKeyValue>[] = [
  {
    promise: 10,
    name: 'answers NOT_STARTED before it is opened and after it is closed',
    run: onKeys(async (first, _, stand) => {
      const keyValue = stand.keyValue()
      const refused = async (when: string): Promise<void> => {
        for (const [name, call] of Object.entries({ ...calls(keyValue), watch: () => step(keyValue) })) {
          const { effect, retry } = await refuses(`${name}, ${when}`, 'NOT_STARTED', call)
          same(name, [effect, retry], ['none', 'later'])
        }
      }
      await refused('unopened')
      await keyValue.open()
      for (const call of Object.values(calls(keyValue))) await call()
      await keyValue.close()
      await refused('closed')
      same('nothing more was written', keys(await first.list()), ['n', 'x'])
    }),
  },
  {
    promise: 10,
    name: 'opens and closes any number of times, and finds everything again',
    run: onKeys(async (first) => {
      await first.put('a', 'x')
      await Promise.all([first.open(), first.open()])
      await first.close()
      await first.close()
      await Promise.all([first.open(), first.open()])
      same('kept', (await first.get('a'))?.value, 'x')
    }),
  },
  {
    promise: 10,
    name: 'leaves at once when the signal has aborted',
    run: onKeys(async (first, _, stand) => {
      const signal = AbortSignal.abort(new Error('enough'))
      for (const [name, call] of Object.entries(calls(first, signal))) same(name, (await refuses(name, 'ABORTED', call)).effect, 'none')
      same('nothing was written', await first.list(), [])
      const unopened = stand.keyValue()
      await refuses('open', 'ABORTED', () => unopened.open(signal))
      await refuses('and stays unopened', 'NOT_STARTED', () => unopened.get('a'))
    }),
  },
]

export const keyReadCases: readonly ContractCase<MakeKeyValue>[] = [...lists, ...texts, ...ends]
