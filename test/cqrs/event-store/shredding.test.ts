import { expect, test } from 'vitest'
import { isForgotten, shredding } from '../../../src/cqrs/index.ts'
import type { AppendRequest, EventStore } from '../../../src/ports/event-store.ts'
import { logOf, one, put, streamOf, word, words } from '../../../src/testing/contracts/event-store-stand.ts'
import { about, world } from './support.ts'

async function opened(options: Parameters<typeof world>[0] = {}) {
  const scene = world(options)
  const [events, elsewhere, plain] = [scene.events(), scene.events(), scene.plain()]
  for (const store of [events, elsewhere, plain]) await store.open()
  return { ...scene, events, elsewhere, plain }
}

const dataOf = async (store: EventStore, stream = 's-ann') => (await streamOf(store, stream)).map(({ data }) => data)

test('keeps data encrypted, and gives them back to whoever has the keys', async () => {
  const { events, elsewhere, plain } = await opened()
  const data = { street: 'Zoë 𝄞 \u0000 \ud800', list: [1, null, { deep: true }] }
  await put(events, about('ann', data))
  const [stored] = await streamOf(plain, 's-ann')
  expect(stored?.data).toEqual({
    $shredded: {
      v: 1,
      subject: expect.stringMatching(/^[0-9a-f]{64}$/),
      key: expect.any(String),
      nonce: expect.stringMatching(/^[\w-]{16}$/),
      sealed: expect.stringMatching(/^[\w-]+$/),
    },
  })
  expect(JSON.stringify(stored?.data)).not.toContain('street')
  expect(await dataOf(events)).toEqual([data])
  expect(await dataOf(elsewhere)).toEqual([data])
  expect((await logOf(elsewhere)).map((event) => event.data)).toEqual([data])
})

test('leaves events about nobody as they are, also those from before', async () => {
  const { events, plain, cabinet } = await opened()
  await put(plain, about('ann', 'from before'))
  await put(events, one('s-ann', 'any', [{ type: 'x', data: { a: 1 } }]))
  expect(await dataOf(events)).toEqual(['from before', { a: 1 }])
  expect(await dataOf(plain)).toEqual(['from before', { a: 1 }])
  expect([cabinet.entries.size, cabinet.reads]).toEqual([0, 0])
})

test('forgets: the data are gone everywhere, the event is not, and a late one is refused', async () => {
  const { events, elsewhere, plain, clock, cabinet } = await opened()
  await put(events, about('ann', 'secret', { idempotencyKey: 'k' }))
  await put(events, about('ben', 'other', {}, 's-ann'))
  expect(await dataOf(elsewhere)).toEqual(['secret', 'other'])
  const before = (await logOf(events))[0]
  await events.forget('ann')
  expect([...cabinet.entries.values()].filter(({ value }) => value.includes('wrapped')).length).toBe(1)
  expect(await dataOf(events)).toEqual([undefined, 'other'])
  const [after] = await logOf(events)
  expect([after, after && isForgotten(after)]).toEqual([{ ...before, data: undefined }, true])
  const verdicts = await events.append([about('ann', 'late'), about('ben', 'more'), about('ann', 'secret', { idempotencyKey: 'k' })])
  expect(words(verdicts)).toEqual(['none SUBJECT_FORGOTTEN', 'ok', 'none SUBJECT_FORGOTTEN'])
  expect(verdicts[0]?.result === 'none' && verdicts[0].error).toMatchObject({ effect: 'none', retry: 'never' })

  // The other process holds the key for a time; what it writes meanwhile nobody can read later.
  expect(await dataOf(elsewhere)).toEqual(['secret', 'other'])
  await clock.advance(60_000)
  expect(await dataOf(elsewhere)).toEqual([undefined, 'other'])
  expect(words(await elsewhere.append([about('ann', 'late')]))).toEqual(['none SUBJECT_FORGOTTEN'])
  expect((await streamOf(plain, 's-ann')).length).toBe(2)
  await elsewhere.forget('ann')
  await events.forget('never seen')
  expect(words(await elsewhere.append([about('never seen', 1)]))).toEqual(['none SUBJECT_FORGOTTEN'])
})

test('forgets while the key is being read: it is not held afterwards', async () => {
  const { events, elsewhere, cabinet } = await opened()
  await put(events, about('ann', 'secret'))
  let open = (): void => {}
  cabinet.gate = new Promise((resolve) => {
    open = resolve
  })
  const reading = dataOf(elsewhere)
  await new Promise((resolve) => setImmediate(resolve))
  cabinet.gate = Promise.resolve()
  await elsewhere.forget('ann')
  open()
  expect(await reading).toEqual(['secret'])
  expect(await dataOf(elsewhere)).toEqual([undefined])
})

test('knows an encrypted request again by its key, in any process, and another one under it', async () => {
  const { events, elsewhere, plain } = await opened()
  const { versions, position, token } = await put(events, about('ann', { a: 1 }, { idempotencyKey: 'k' }))
  for (const store of [events, elsewhere])
    expect(await store.append([about('ann', { a: 1 }, { idempotencyKey: 'k' })])).toEqual([
      { result: 'duplicate', original: { versions, position, token } },
    ])
  expect(words(await elsewhere.append([about('ann', { a: 2 }, { idempotencyKey: 'k' })]))).toEqual(['none KEY_REUSED'])
  // The same content under other keys, or without one, shows nothing of being the same.
  await put(events, about('ann', { a: 1 }, { idempotencyKey: 'l' }))
  await put(events, about('ann', { a: 1 }))
  await put(events, about('ann', { a: 1 }))
  const twice: AppendRequest = about('ann', { a: 1 }, { idempotencyKey: 'm' })
  await put(events, { ...twice, writes: twice.writes.map((write) => ({ ...write, events: [...write.events, ...write.events] })) })
  const sealed = (await streamOf(plain, 's-ann')).map(({ data }) => (data as { $shredded: { nonce: string; sealed: string } }).$shredded)
  expect(new Set(sealed.map(({ nonce }) => nonce)).size).toBe(6)
  expect(new Set(sealed.map((one) => one.sealed)).size).toBe(6)
})

test('decrypts what a conflict missed, and what is forgotten of it', async () => {
  const { events } = await opened()
  await put(events, about('ann', 'one'))
  await put(events, about('ben', 'two', {}, 's-ann'))
  await events.forget('ann')
  const [verdict] = await events.append([one('s-ann', 'none')])
  expect(verdict?.result === 'conflict' && verdict.missed.map(({ data }) => data)).toEqual([undefined, 'two'])
})

test('writes what was handed in, whatever becomes of it while a key is fetched', async () => {
  const { events, cabinet } = await opened()
  let open = (): void => {}
  cabinet.gate = new Promise((resolve) => {
    open = resolve
  })
  const [data, plainData, tags, metadata] = [{ a: 1 }, { b: 1 }, ['t'], { subject: 'ann' }]
  const request: AppendRequest = {
    writes: [
      {
        stream: 's-ann',
        expect: 'none',
        events: [
          { type: 'moved', data, metadata },
          { type: 'plain', data: plainData, tags },
        ],
      },
    ],
  }
  const appended = events.append([request])
  const behind = events.append([one('s-ann', 2, [{ type: 'plain', data: tags }])])
  const others = await events.append([one('other', 'none')])
  data.a = plainData.b = 2
  metadata.subject = 'ben'
  tags.push('u')
  open()
  expect(words([...(await appended), ...(await behind), ...others])).toEqual(['ok', 'ok', 'ok'])
  expect((await streamOf(events, 's-ann')).map((event) => [event.data, event.tags, event.metadata])).toEqual([
    [{ a: 1 }, [], { subject: 'ann' }],
    [{ b: 1 }, ['t'], {}],
    [['t'], [], {}],
  ])
})

test('joins a transaction, encrypted, and a forgotten subject is refused there, too', async () => {
  const { events, plain, transactions } = await opened()
  await events.forget('ben')
  const answers = await transactions.run(async (tx) => [
    word(await events.join(tx).append(about('ann', 'secret'))),
    word(await events.join(tx).append(about('ben', 'late'))),
    word(await events.join(tx).append(about('ann', new Date(0)))),
  ])
  expect(answers).toEqual(['ok', 'none SUBJECT_FORGOTTEN', 'none NOT_JSON'])
  expect(await dataOf(events)).toEqual(['secret'])
  expect(JSON.stringify(await dataOf(plain))).not.toContain('secret')
})

test('answers a request whose subject or data are unfit, and writes those beside it', async () => {
  const { events } = await opened({
    subjectOf: ({ type }) => {
      if (type === 'throws') throw new Error('no')
      return type === 'none'
        ? undefined
        : ((({ long: 'x'.repeat(201), number: 7, empty: '' } as Record<string, unknown>)[type] as string) ?? type)
    },
  })
  const of = (type: string, data: unknown = 1) => one('a', 'any', [{ type, data }])
  const verdicts = await events.append([
    of('ann'),
    of('throws'),
    of('long'),
    of('number'),
    of('empty'),
    of('ann', new Map()),
    of('none', { $shredded: 1 }),
    of('ann', { $shredded: 1 }),
  ])
  const unfit = 'none INVALID_INPUT'
  expect(words(verdicts)).toEqual(['ok', unfit, unfit, unfit, unfit, 'none NOT_JSON', unfit, 'ok'])
  expect(await dataOf(events, 'a')).toEqual([1, { $shredded: 1 }])
  for (const subject of ['', 'x'.repeat(201), 7 as unknown as string])
    await expect(events.forget(subject)).rejects.toMatchObject({ code: 'INVALID_INPUT', effect: 'none' })
})

test('answers none when the store of keys fails, and writes what needs no key', async () => {
  const { events, elsewhere, cabinet } = await opened()
  await put(events, about('ann', 1))
  cabinet.failing = new Error('down')
  const [failed, fine] = await elsewhere.append([about('ann', 2), one('other')])
  expect([word(failed), word(fine)]).toEqual(['none STORAGE_UNAVAILABLE', 'ok'])
  expect(failed?.result === 'none' && failed.error).toMatchObject({ effect: 'none', retry: 'later' })
  await expect(dataOf(elsewhere)).rejects.toThrow('down')
  cabinet.failing = undefined
  expect(await dataOf(elsewhere)).toEqual([1])
})

test('holds so many keys, for so long, and asks once for each', async () => {
  const { events, cabinet, clock } = await opened({ cached: 2, cacheTtlMs: 1_000 })
  const reads = async (...subjects: string[]): Promise<number> => {
    const before = cabinet.reads
    for (const subject of subjects) await put(events, about(subject, 1))
    return cabinet.reads - before
  }
  expect(await reads('a', 'a', 'b', 'a')).toBe(2)
  expect(await reads('c', 'a')).toBe(1)
  expect(await reads('b')).toBe(1)
  await clock.advance(999)
  expect(await reads('b', 'a')).toBe(0)
  await clock.advance(1)
  expect(await reads('b')).toBe(1)
})

test('reads a batch about many subjects, each key once', async () => {
  const { events, elsewhere, cabinet } = await opened()
  const many = Array.from({ length: 120 }, (_, n) => about(`s${n % 40}`, n, {}, 'many'))
  await events.append(many)
  const before = cabinet.reads
  expect(await dataOf(elsewhere, 'many')).toEqual(many.map((_, n) => n))
  expect(cabinet.reads - before).toBe(40)
})

test.each([
  ['no keys', {}, 'keys must be a store of keys'],
  ['keys that are none', { keys: {} }, 'keys must be a store of keys'],
  ['a subject that is no function', { keys: { load() {}, forget() {} }, subjectOf: 'subject' }, 'subjectOf must be a function'],
  ['an unknown option', { keys: { load() {}, forget() {} }, key: 1 }, 'unknown option key'],
])('refuses %s', (_, options, reason) => {
  expect(() => shredding(world().plain(), options as never)).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTIONS', message: expect.stringContaining(reason) }),
  )
})
