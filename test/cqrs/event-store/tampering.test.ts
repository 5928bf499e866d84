import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { sealedOf } from '../../../src/cqrs/event-store/sealed.ts'
import { nameOf } from '../../../src/cqrs/event-store/subject-keys.ts'
import { keyValueKeys, shredding } from '../../../src/cqrs/index.ts'
import type { EventStore } from '../../../src/ports/event-store.ts'
import type { KeyValue } from '../../../src/ports/key-value.ts'
import { one, put, streamOf, words } from '../../../src/testing/contracts/event-store-stand.ts'
import { about, Cabinet, master, world } from './support.ts'

interface Envelope {
  readonly $shredded: Record<string, unknown>
}

/** One encrypted event, and what reads it once its stored form was changed, somewhere else in the log. */
async function sealed() {
  const scene = world()
  const [events, plain] = [scene.events(), scene.plain()]
  await events.open()
  await plain.open()
  await put(events, about('ann', { street: 'x' }))
  const data = (await streamOf(plain, 's-ann'))[0]?.data as Envelope
  let count = 0
  const reread = async (changed: unknown, change: { type?: string; tenant?: string; stream?: string } = {}) => {
    const { type = 'moved', tenant = '', stream = 's-ann' } = change
    const at = `${stream}`
    const fresh = scene.events()
    await fresh.open()
    await plain.append([{ writes: [{ stream: at, expect: 'any', events: [{ type, data: changed, id: `changed ${++count}` }] }], tenant }])
    const found = await streamOf(fresh, at, { tenant, backwards: true, batch: 1 }).then(
      (read) => read[0]?.data,
      (error: unknown) => error,
    )
    await plain.truncate(at, { beforeVersion: 1_000_000, tenant })
    return found
  }
  return { ...scene, events, plain, data, reread }
}

const isCorrupt = { code: 'STORAGE_CORRUPT', effect: 'none', retry: 'never' }

test('reads it where it belongs, and nowhere else', async () => {
  const { data, reread } = await sealed()
  expect(await reread(data)).toEqual({ street: 'x' })
  for (const elsewhere of [{ type: 'other' }, { tenant: 't' }, { stream: 'another' }])
    expect(await reread(data, elsewhere)).toMatchObject(isCorrupt)
})

test('names the event whose data were changed', async () => {
  const { data, reread } = await sealed()
  const error = await reread({ $shredded: { ...data.$shredded, nonce: 'AAAAAAAAAAAAAAAA' } })
  expect(error).toMatchObject({ ...isCorrupt, details: { stream: 's-ann', tenant: '', id: 'changed 1', version: 2, position: 2n } })
  expect((error as Error).message).toContain('"s-ann" version 2 ("changed 1") cannot be decrypted')
  expect((error as Error).message).not.toContain('street')
})

test('notices every flipped bit of nonce, ciphertext, tag, subject and key', async () => {
  const { data, reread } = await sealed()
  for (const field of ['nonce', 'sealed'] as const) {
    const bytes = Buffer.from(data.$shredded[field] as string, 'base64url')
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes)
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
      expect(await reread({ $shredded: { ...data.$shredded, [field]: flipped.toString('base64url') } })).toMatchObject(isCorrupt)
    }
  }
  for (const change of [
    { subject: nameOf('ben') },
    { key: 'another' },
    { v: 2 },
    { sealed: '' },
    { sealed: (data.$shredded.sealed as string).slice(0, -4) },
  ])
    expect(await reread({ $shredded: { ...data.$shredded, ...change } })).toMatchObject(isCorrupt)
})

test('refuses rubbish of any kind under the mark', async () => {
  const { data, reread } = await sealed()
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.jsonValue(),
        fc.record({
          v: fc.constant(1),
          subject: fc.oneof(fc.string(), fc.constant(data.$shredded.subject)),
          key: fc.jsonValue(),
          nonce: fc.jsonValue(),
          sealed: fc.jsonValue(),
        }),
      ),
      async (rubbish) => {
        // What JSON would change the store refuses by itself.
        const json = JSON.parse(JSON.stringify({ $shredded: rubbish }))
        expect(await reread(json)).toMatchObject(isCorrupt)
      },
    ),
    { numRuns: 60 },
  )
})

test('makes no sense of anything without the mark', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (data) => {
      if (typeof data === 'object' && data !== null && '$shredded' in data) return
      expect(sealedOf(data)).toBeUndefined()
    }),
  )
})

test('fails a subscription and a conflict that come by a changed event, and writes nothing', async () => {
  const { events, plain, data } = await sealed()
  await put(plain, one('s-ann', 'any', [{ type: 'moved', data: { $shredded: { ...data.$shredded, sealed: 'AAAA' } } }]))
  const follow = async (store: EventStore) => {
    for await (const _ of store.subscribe()) break
  }
  await expect(follow(events)).rejects.toMatchObject(isCorrupt)
  expect(words(await events.append([one('s-ann', 1), one('b')]))).toEqual(['none STORAGE_CORRUPT', 'ok'])
  expect((await streamOf(plain, 's-ann')).length).toBe(2)
})

test('does not take a lost key for a forgotten one, nor a new one for the old', async () => {
  const { cabinet, plain, keys, clock } = await sealed()
  cabinet.entries.clear()
  const fresh = shredding(plain, { keys: keys(), clock })
  await expect(streamOf(fresh, 's-ann')).rejects.toMatchObject({ ...isCorrupt, message: expect.stringContaining('was not forgotten') })
  await put(fresh, about('ann', 'new', {}, 'b'))
  await expect(streamOf(fresh, 's-ann')).rejects.toMatchObject({ ...isCorrupt, message: expect.stringContaining('another key') })
  expect((await streamOf(fresh, 'b'))[0]?.data).toBe('new')
})

test('refuses the wrong master key, and makes no new key over one that it cannot open', async () => {
  const { cabinet, plain, clock, masterKey } = await sealed()
  const wrong = [{ ...masterKey, key: randomBytes(32) }, master('another')]
  const before = [...cabinet.entries.values()]
  for (const masterKey of wrong) {
    const events = shredding(plain, { keys: keyValueKeys(cabinet as unknown as KeyValue, { masterKey }), clock })
    await expect(streamOf(events, 's-ann')).rejects.toMatchObject(isCorrupt)
    expect(words(await events.append([about('ann', 2)]))).toEqual(['none STORAGE_CORRUPT'])
  }
  expect([...cabinet.entries.values()]).toEqual(before)
})

test('notices every change of a stored key, and can forget it all the same', async () => {
  const { cabinet, keys } = await sealed()
  const [at, entry] = [...cabinet.entries][0] ?? []
  if (at === undefined || entry === undefined) throw new Error('no key')
  const name = nameOf('ann')
  const stored = JSON.parse(entry.value)
  const bytes = Buffer.from(stored.wrapped, 'base64url')
  const changes: unknown[] = [
    { ...stored, key: 'another' },
    { ...stored, v: 2 },
    { ...stored, master: 7 },
    { ...stored, nonce: 'AA' },
    7,
    null,
    'x',
    [],
  ]
  for (let bit = 0; bit < bytes.length * 8; bit += 5) {
    const flipped = Buffer.from(bytes)
    flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
    changes.push({ ...stored, wrapped: flipped.toString('base64url') })
  }
  for (const value of [...changes.map((change) => JSON.stringify(change)), 'no JSON', '']) {
    cabinet.change(at, value)
    await expect(keys().load(name, { create: true })).rejects.toMatchObject({ ...isCorrupt, details: { key: at } })
  }
  await keys().forget(name)
  expect(await keys().load(name, { create: true })).toBe('forgotten')
  // A key does not open under the name of somebody else.
  const other = at.replace(name, nameOf('ben'))
  cabinet.change(other, entry.value)
  await expect(keys().load(nameOf('ben'), { create: true })).rejects.toMatchObject(isCorrupt)
})

test('makes one key of many who ask at once', async () => {
  const { keys } = world()
  const made = await Promise.all(Array.from({ length: 8 }, () => keys().load('a', { create: true })))
  expect(new Set(made.map((key) => typeof key === 'object' && Buffer.from(key.key).toString('hex'))).size).toBe(1)
  expect(await keys().load('nobody', { create: false })).toBeUndefined()
})

test('wraps all keys anew with another master key, while others work', async () => {
  const cabinet = new Cabinet()
  const [first, second] = [master('first'), master('second')]
  const [old, both, after] = [{ masterKey: first }, { masterKey: second, formerKeys: [first] }, { masterKey: second }].map((options) =>
    keyValueKeys(cabinet as unknown as KeyValue, options),
  )
  if (old === undefined || both === undefined || after === undefined) throw new Error('no keys')
  const names = Array.from({ length: 230 }, (_, n) => nameOf(`s${n}`))
  const made = new Map<string, unknown>()
  for (const name of names) made.set(name, await old.load(name, { create: true }))
  await old.forget(names[7] as string)
  await expect(after.load(names[0] as string, { create: true })).rejects.toMatchObject(isCorrupt)
  expect(await both.load(names[0] as string, { create: true })).toEqual(made.get(names[0] as string))
  expect(await both.rewrap()).toBe(229)
  expect(await both.rewrap()).toBe(0)
  for (const [at, name] of names.entries())
    expect(await after.load(name, { create: true })).toEqual(at === 7 ? 'forgotten' : made.get(name))
})

test('does not bring back a key that is forgotten while it is wrapped anew', async () => {
  const cabinet = new Cabinet()
  const [first, second] = [master('first'), master('second')]
  const old = keyValueKeys(cabinet as unknown as KeyValue, { masterKey: first })
  await old.load('a', { create: true })
  const list = cabinet.list.bind(cabinet)
  cabinet.list = async (filter) => {
    const page = await list(filter)
    await old.forget('a')
    return page
  }
  const both = keyValueKeys(cabinet as unknown as KeyValue, { masterKey: second, formerKeys: [first] })
  expect(await both.rewrap()).toBe(0)
  expect(await both.load('a', { create: true })).toBe('forgotten')
})

test.each([
  ['no master key', {}, 'masterKey must be'],
  ['a short one', { masterKey: { id: 'a', key: new Uint8Array(16) } }, 'masterKey must be'],
  ['one without an id', { masterKey: { id: '', key: new Uint8Array(32) } }, 'masterKey must be'],
  ['two of one id', { masterKey: master('a'), formerKeys: [master('a')] }, 'formerKeys must be each of another id'],
])('refuses %s, and shows no byte of it', (_, options, reason) => {
  expect(() => keyValueKeys(new Cabinet() as unknown as KeyValue, options as never)).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTIONS', message: expect.stringContaining(reason) }),
  )
})
