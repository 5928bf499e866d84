import { expect, test } from 'vitest'
import { tenantEvents } from '../../../src/cqrs/index.ts'
import type { AppendRequest, EventStore } from '../../../src/ports/event-store.ts'
import { logOf, names, nothingOf, one, streamOf, tagged, word, words } from '../../../src/testing/contracts/event-store-stand.ts'
import { about, world } from './support.ts'

async function views() {
  const { plain, transactions, ...rest } = world()
  const store = plain()
  await store.open()
  return { ...rest, store, transactions, acme: tenantEvents(store, 'acme'), other: tenantEvents(store, 'other') }
}

const follow = async (store: EventStore, tenant?: string): Promise<void> => {
  for await (const _ of store.subscribe(tenant === undefined ? {} : { tenant })) break
}

test('writes to and reads from its tenant alone', async () => {
  const { store, acme, other } = await views()
  const request = one('a', 'none', [tagged('seat')], { idempotencyKey: 'k', condition: nothingOf(0n, 'seat') })
  expect([...words(await acme.append([request])), ...words(await other.append([request]))]).toEqual(['ok', 'ok'])
  for (const [view, tenant] of [
    [acme, 'acme'],
    [other, 'other'],
  ] as const) {
    expect((await streamOf(view, 'a')).map((event) => event.tenant)).toEqual([tenant])
    expect((await logOf(view)).map((event) => event.tenant)).toEqual([tenant])
    expect((await logOf(view, { tenant })).map((event) => event.tenant)).toEqual([tenant])
    const seen: string[] = []
    for await (const { events } of view.subscribe({ tags: ['seat'] })) {
      seen.push(...events.map((event) => event.tenant))
      break
    }
    expect(seen).toEqual([tenant])
  }
  expect(await streamOf(store, 'a')).toEqual([])
})

test('answers a request of another tenant, and writes those beside it', async () => {
  const { store, acme } = await views()
  const theirs = one('a', 'any', [tagged('x')], { tenant: 'other' })
  const verdicts = await acme.append([
    one('a'),
    theirs,
    one('a', 'any', undefined, { tenant: 'acme' }),
    one('a', 'any', undefined, { tenant: '' }),
  ])
  expect(words(verdicts)).toEqual(['ok', 'none INVALID_INPUT', 'ok', 'none INVALID_INPUT'])
  const [, refused] = verdicts
  expect(refused?.result === 'none' && refused.error).toMatchObject({
    effect: 'none',
    retry: 'never',
    message: expect.stringContaining('"other"'),
  })
  expect((await logOf(store, { tenant: '*' })).map(({ tenant, version }) => [tenant, version])).toEqual([
    ['acme', 1],
    ['acme', 2],
  ])
})

test('refuses to read, cut or close for another tenant, and for all of them', async () => {
  const { store, acme } = await views()
  await store.append([one('a', 'none', undefined, { tenant: 'other' })])
  for (const tenant of ['other', '*', '']) {
    const calls: readonly (() => Promise<unknown>)[] = [
      () => streamOf(acme, 'a', { tenant }),
      () => logOf(acme, { tenant }),
      () => follow(acme, tenant),
      () => acme.truncate('a', { beforeVersion: 2, tenant }),
      () => acme.archive('a', { tenant }),
      () => acme.tombstone('a', { tenant }),
    ]
    for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'INVALID_INPUT', effect: 'none' })
  }
  await acme.tombstone('a')
  await acme.archive('b')
  await acme.truncate('c', { beforeVersion: 2 })
  expect(names(await streamOf(store, 'a', { tenant: 'other' }))).toEqual(['a@1'])
})

test('passes on what it looked at, whatever a getter says next', async () => {
  const { store, acme } = await views()
  let asked = 0
  const sly = {
    ...one('a'),
    get tenant() {
      asked += 1
      return asked === 1 ? 'acme' : 'other'
    },
  }
  const throwing = {
    ...one('a'),
    get tenant(): string {
      throw new Error('no')
    },
  }
  const posing = { ...one('a'), result: 'ok', pass: 1, answer: 2 } as AppendRequest
  expect(words(await acme.append([sly, throwing, posing, null as unknown as AppendRequest]))).toEqual([
    'ok',
    'none INVALID_INPUT',
    'ok',
    'none INVALID_INPUT',
  ])
  expect((await logOf(store, { tenant: '*' })).map(({ tenant }) => tenant)).toEqual(['acme', 'acme'])
})

test('joins a transaction for its tenant alone', async () => {
  const { store, acme, transactions } = await views()
  const answers = await transactions.run(async (tx) => [
    word(await acme.join(tx).append(one('a'))),
    word(await acme.join(tx).append(one('a', 'any', undefined, { tenant: 'other' }))),
  ])
  expect(answers).toEqual(['ok', 'none INVALID_INPUT'])
  expect((await logOf(store, { tenant: '*' })).map(({ tenant }) => tenant)).toEqual(['acme'])
})

test('encrypts for its tenant on either side of the encryption', async () => {
  const { store, keys } = await views()
  const { shredding } = await import('../../../src/cqrs/index.ts')
  const outside = tenantEvents(shredding(store, { keys: keys() }), 'acme')
  const inside = shredding(tenantEvents(store, 'acme'), { keys: keys() })
  expect(words([...(await outside.append([about('p', 1)])), ...(await inside.append([about('p', 2)]))])).toEqual(['ok', 'ok'])
  for (const events of [outside, inside]) expect((await streamOf(events, 's-p')).map(({ data }) => data)).toEqual([1, 2])
})

test.each([[''], ['*'], ['x'.repeat(201)], ['a\0'], [undefined], [7]])('refuses the tenant %j', (tenant) => {
  const { plain } = world()
  expect(() => tenantEvents(plain(), tenant as string)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }))
})
