import type { KeyValue } from '../../ports/key-value.ts'
import { type MakeKeyValue, onKeys, plain, revisionOf, TTL_MS, within } from './key-value-stand.ts'
import { type ContractCase, check, refuses, same } from './kit.ts'

const answers: readonly ContractCase<MakeKeyValue>[] = [
  {
    promise: 1,
    name: 'answers what was put there last, by whichever opening, and undefined where nothing is',
    run: onKeys(async (first, second, stand) => {
      same('before', await second.get('a'), undefined)
      const one = await revisionOf(first.put('a', 'one'))
      same('from the other', plain(await second.get('a')), { key: 'a', value: 'one', revision: one })
      const two = await revisionOf(second.put('a', 'two'))
      same('after the other wrote', plain(await first.get('a')), { key: 'a', value: 'two', revision: two })
      same('incremented', await second.increment('n', 5), { value: 5 })
      same('as a text', (await first.get('n'))?.value, '5')
      same('of another key', await first.get('A'), undefined)
      const later = stand.keyValue()
      await later.open()
      try {
        same('a later opening', plain(await later.get('a')), { key: 'a', value: 'two', revision: two })
      } finally {
        await later.close()
      }
    }),
  },
  {
    promise: 2,
    name: 'writes only where the expectation holds, and answers with what stands there instead',
    run: onKeys(async (first, second) => {
      same('no such revision', await first.put('a', 'x', { expect: 7 }), { ok: false })
      same('nothing was written', await second.get('a'), undefined)
      const one = await revisionOf(first.put('a', 'one', { expect: 'none' }))
      const entry = { key: 'a', value: 'one', revision: one }
      same('there is one', await second.put('a', 'x', { expect: 'none' }), { ok: false, entry })
      same('another revision', await second.put('a', 'x', { expect: one + 1 }), { ok: false, entry })
      const two = await revisionOf(second.put('a', 'two', { expect: one }))
      same('a former revision', await first.put('a', 'x', { expect: one }), { ok: false, entry: { key: 'a', value: 'two', revision: two } })
      await revisionOf(first.put('a', 'three', { expect: 'any' }))
      same('the last', (await second.get('a'))?.value, 'three')
    }),
  },
  {
    promise: 2,
    name: 'lets exactly one of many racers through, and shows the others its entry',
    run: onKeys(async (first, second) => {
      let expect: 'none' | number = 'none'
      for (let round = 0; round < 10; round++) {
        const expected: 'none' | number = expect
        const racers = Array.from({ length: 8 }, (_, n) => (n % 2 === 0 ? first : second).put('a', `${round} ${n}`, { expect: expected }))
        const verdicts = await Promise.all(racers)
        const winners = verdicts.flatMap((verdict, n) => (verdict.ok ? [{ n, revision: verdict.revision }] : []))
        same('winners', winners.length, 1)
        const [winner] = winners as [{ n: number; revision: number }]
        const entry = { key: 'a', value: `${round} ${winner.n}`, revision: winner.revision }
        for (const verdict of verdicts) if (!verdict.ok) same('a loser', verdict, { ok: false, entry })
        expect = winner.revision
      }
    }),
  },
  {
    promise: 3,
    name: 'raises the revision with every write of a key',
    run: onKeys(async (first, second) => {
      const seen = [await revisionOf(first.put('a', 'x')), await revisionOf(second.put('a', 'x')), await revisionOf(first.put('a', 'y'))]
      await second.increment('n', 1)
      const before = (await first.get('n'))?.revision ?? 0
      await first.increment('n', 1)
      check('an increment is a write', before > 0 && ((await first.get('n'))?.revision ?? 0) !== before)
      check(
        'whole and above 0',
        seen.every((revision) => Number.isSafeInteger(revision) && revision > 0),
      )
      same('all different', new Set(seen).size, seen.length)
    }),
  },
  {
    promise: 3,
    name: 'never gives a revision out again, after a deletion or an end of the time',
    run: onKeys(async (first, second, stand) => {
      const seen: number[] = []
      for (let round = 0; round < 3; round++) {
        seen.push(await revisionOf(first.put('a', 'x')), await revisionOf(second.put('a', 'y')))
        same('deleted', await first.delete('a'), true)
        seen.push(await revisionOf(second.put('a', 'z', { expect: 'none', ttlMs: TTL_MS / 4 })))
        await stand.passMs(TTL_MS / 4 + 50)
      }
      same('all different', new Set(seen).size, seen.length)
      await revisionOf(first.put('a', 'now'))
      for (const old of seen) same(`revision ${old}`, (await second.put('a', 'old', { expect: old })).ok, false)
      same('kept', (await first.get('a'))?.value, 'now')
    }),
  },
]

const gone = async (what: string, { get, list }: Pick<KeyValue, 'get' | 'list'>): Promise<void> => {
  same(`${what}: get`, await get('a'), undefined)
  same(`${what}: list`, await list(), [])
}

const times: readonly ContractCase<MakeKeyValue>[] = [
  {
    promise: 4,
    name: 'is gone for every method once its time is over',
    run: onKeys(async (first, second, stand) => {
      const revision = await revisionOf(first.put('a', 'x', { ttlMs: TTL_MS }))
      same('while it lasts', plain(await second.get('a'), TTL_MS), { key: 'a', value: 'x', revision })
      same(
        'listed',
        (await second.list()).map((entry) => plain(entry, TTL_MS)),
        [{ key: 'a', value: 'x', revision }],
      )
      await stand.passMs(TTL_MS + 50)
      await gone('over', { get: (key) => second.get(key), list: () => first.list() })
      same('delete', await second.delete('a'), false)
      same('delete of the revision', await first.delete('a', { revision }), false)
      same('put by the revision', await second.put('a', 'y', { expect: revision }), { ok: false })
      check('put of a new one', (await first.put('a', 'y', { expect: 'none' })).ok)
    }),
  },
  {
    promise: 4,
    name: 'lasts from the latest put, and without an end where that gave none',
    run: onKeys(async (first, second, stand) => {
      await first.put('a', 'x', { ttlMs: TTL_MS })
      await first.put('b', 'x', { ttlMs: TTL_MS })
      await stand.passMs(TTL_MS / 2)
      await second.put('a', 'y')
      await second.put('b', 'y', { ttlMs: TTL_MS * 20 })
      await stand.passMs(TTL_MS)
      same('without', plain(await first.get('a'))?.constructor, Object)
      plain(await first.get('b'), TTL_MS * 20)
      await second.put('b', 'z', { ttlMs: 1 })
      await stand.passMs(50)
      same('shortened', await first.get('b'), undefined)
    }),
  },
  {
    promise: 4,
    name: 'begins anew with an increment once its time is over',
    run: onKeys(async (first, second, stand) => {
      await first.increment('n', 5, { ttlMs: TTL_MS })
      await stand.passMs(TTL_MS + 50)
      const { value, remainingMs } = await second.increment('n', 2, { ttlMs: TTL_MS })
      same('from nothing', value, 2)
      within('n', remainingMs, TTL_MS)
    }),
  },
]

const sums: readonly ContractCase<MakeKeyValue>[] = [
  {
    promise: 5,
    name: 'adds in one step, from many at once',
    run: onKeys(async (first, second) => {
      const added = await Promise.all(Array.from({ length: 40 }, (_, n) => (n % 2 === 0 ? first : second).increment('n', 1)))
      same(
        'each sum once',
        added.map(({ value }) => value).sort((a, b) => a - b),
        Array.from({ length: 40 }, (_, n) => n + 1),
      )
      same('down', await second.increment('n', -50), { value: -10 })
      same('by nothing', await first.increment('n', 0), { value: -10 })
      same('a text', (await first.get('n'))?.value, '-10')
      await first.put('n', '-7')
      same('what was put', await second.increment('n', 7), { value: 0 })
      same('far', await second.increment('n', Number.MAX_SAFE_INTEGER), { value: Number.MAX_SAFE_INTEGER })
      same('as far down', await second.increment('n', -Number.MAX_SAFE_INTEGER), { value: 0 })
      same('exact', await second.increment('n', 1_234_567_890_123_456), { value: 1_234_567_890_123_456 })
      same('in digits', (await first.get('n'))?.value, '1234567890123456')
    }),
  },
  {
    promise: 5,
    name: 'leaves the time of a key that is there as it is',
    run: onKeys(async (first, second, stand) => {
      within('created', (await first.increment('n', 1, { ttlMs: TTL_MS })).remainingMs, TTL_MS)
      within('kept', (await second.increment('n', 1, { ttlMs: TTL_MS * 100 })).remainingMs, TTL_MS)
      within('kept without', (await second.increment('n', 1)).remainingMs, TTL_MS)
      await first.increment('m', 1)
      same('none is given', await second.increment('m', 1, { ttlMs: TTL_MS }), { value: 2 })
      await stand.passMs(TTL_MS + 50)
      same('over', await first.get('n'), undefined)
      same('without an end', plain(await first.get('m'))?.constructor, Object)
    }),
  },
  {
    promise: 5,
    name: 'refuses what holds no whole number, and a sum that is none, and leaves it unchanged',
    run: onKeys(async (first, second) => {
      for (const value of [
        '',
        'x',
        '1.5',
        '1e3',
        ' 1',
        '1 ',
        '01',
        '+1',
        '-0',
        '0x1',
        '9007199254740993',
        '99999999999999999999',
        '1\u0000',
      ]) {
        const revision = await revisionOf(first.put('n', value))
        const { effect } = await refuses(JSON.stringify(value), 'INVALID_INPUT', () => second.increment('n', 1))
        same('effect', effect, 'none')
        same('unchanged', plain(await first.get('n')), { key: 'n', value, revision })
      }
      await first.put('n', String(Number.MAX_SAFE_INTEGER))
      await refuses('beyond', 'INVALID_INPUT', () => first.increment('n', 1))
      same('unchanged', (await second.get('n'))?.value, String(Number.MAX_SAFE_INTEGER))
      for (const by of [1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])
        await refuses(`${by}`, 'INVALID_INPUT', () => first.increment('m', by))
      same('never made', await first.get('m'), undefined)
    }),
  },
  {
    promise: 6,
    name: 'answers whether it deleted, and with a revision deletes only that one',
    run: onKeys(async (first, second) => {
      same('nothing there', await first.delete('a'), false)
      const one = await revisionOf(first.put('a', 'x'))
      const two = await revisionOf(first.put('a', 'y'))
      same('a former revision', await second.delete('a', { revision: one }), false)
      same('kept', (await first.get('a'))?.value, 'y')
      same('the revision', await second.delete('a', { revision: two }), true)
      same('gone', await first.get('a'), undefined)
      same('once', await first.delete('a', { revision: two }), false)
      await first.put('a', 'z')
      const deleted = await Promise.all([first.delete('a'), second.delete('a'), first.delete('a')])
      same('one of several', deleted.filter(Boolean).length, 1)
    }),
  },
]

export const keyWriteCases: readonly ContractCase<MakeKeyValue>[] = [...answers, ...times, ...sums]
