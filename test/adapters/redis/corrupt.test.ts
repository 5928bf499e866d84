import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type RedisStorage, redisStorage } from '../../../src/adapters/redis/index.ts'
import { describeWith } from '../../support/services.ts'
import { beside, type Connected, freshPrefix, packages, removeAll } from './support.ts'

/** One command of a stranger's, on a name under the prefix. */
type Damage = readonly [command: string, name: string, ...values: string[]]

const noRevision: Damage = ['hdel', 'v:a', 'r']
const noValue: Damage = ['hdel', 'v:a', 'v']
const strangeRevision: Damage = ['hset', 'v:a', 'r', '1.5']
const noToken: Damage = ['hdel', 'l:a', 't']
const noOwner: Damage = ['hdel', 'l:a', 'o']
const strangeToken: Damage = ['hset', 'l:a', 't', 'abc']
const numbers: readonly Damage[] = [
  ['set', 'n', 'abc'],
  ['set', 'n', '-1'],
  ['set', 'n', '9007199254740993'],
]
const setOf = (name: string): Damage => ['sadd', name, 'something else']

const ttlMs = 60_000
const valueCalls: Readonly<Record<string, (storage: RedisStorage) => Promise<unknown>>> = {
  get: ({ keyValue }) => keyValue.get('a'),
  list: ({ keyValue }) => keyValue.list(),
  put: ({ keyValue }) => keyValue.put('a', '2'),
  'put of none': ({ keyValue }) => keyValue.put('a', '2', { expect: 'none', ttlMs }),
  increment: ({ keyValue }) => keyValue.increment('a', 1, { ttlMs }),
  delete: ({ keyValue }) => keyValue.delete('a'),
}
const leaseCalls: Readonly<Record<string, (storage: RedisStorage) => Promise<unknown>>> = {
  acquire: ({ lease }) => lease.acquire('a', 'one', { ttlMs }),
  'acquire by another': ({ lease }) => lease.acquire('a', 'two', { ttlMs }),
  renew: ({ lease }) => lease.renew({ name: 'a', owner: 'one', token: 1, remainingMs: 1 }, { ttlMs }),
  release: ({ lease }) => lease.release({ name: 'a', owner: 'one', token: 1, remainingMs: 1 }),
  holder: ({ lease }) => lease.holder('a'),
  list: ({ lease }) => lease.list(),
}
const writes = (calls: typeof valueCalls, ...names: readonly string[]) =>
  Object.fromEntries(Object.entries(calls).filter(([name]) => names.includes(name)))

const rows: readonly (readonly [Damage, typeof valueCalls])[] = [
  ...[noRevision, noValue, strangeRevision].map((damage) => [damage, valueCalls] as const),
  ...[noToken, noOwner, strangeToken].map((damage) => [damage, leaseCalls] as const),
  ...numbers.map((damage) => [damage, writes(valueCalls, 'put', 'increment', 'delete')] as const),
]
const strangers: readonly (readonly [Damage, typeof valueCalls])[] = [
  ...['vi', 'vx', 'ch'].map((name) => [setOf(name), writes(valueCalls, 'put', 'put of none', 'increment', 'delete')] as const),
  ...['li', 'lx'].map((name) => [setOf(name), writes(leaseCalls, 'acquire', 'renew', 'release')] as const),
]

describeWith('redis', 'what a stranger has written under the prefix', () => {
  let connected: Connected
  let prefix: string
  let storage: RedisStorage
  beforeAll(async () => {
    connected = await packages.ioredis()
  })
  afterAll(() => connected.end())
  beforeEach(async () => {
    prefix = freshPrefix()
    storage = redisStorage(connected.client, { prefix })
    await storage.open()
  })
  afterEach(() => removeAll(prefix))

  const damaged = ([command, name, ...values]: Damage) => beside((redis) => redis.call(command, `{${prefix}}:${name}`, ...values))
  const dump = (...names: readonly string[]) =>
    beside((redis) => Promise.all(names.map(async (name) => (await redis.dumpBuffer(`{${prefix}}:${name}`))?.toString('hex'))))

  for (const [damage, calls] of rows)
    for (const [call, run] of Object.entries(calls))
      test(`${damage.join(' ')}: ${call} says so, and changes nothing`, async () => {
        await storage.keyValue.put('a', '1')
        await storage.lease.acquire('a', 'one', { ttlMs })
        await damaged(damage)
        const before = await dump('n', 'v:a', 'l:a', 'vi', 'li', 'ch')
        const error = await run(storage).then(
          (answer) => expect.unreachable(`it answered ${JSON.stringify(answer)}`),
          (refused: unknown) => refused,
        )
        expect(error).toMatchObject({
          code: 'STORAGE_CORRUPT',
          effect: 'none',
          retry: 'never',
          message: expect.stringContaining(`{${prefix}}:${damage[1]}`),
        })
        expect(await dump('n', 'v:a', 'l:a', 'vi', 'li', 'ch')).toEqual(before)
      })

  for (const [damage, calls] of strangers)
    for (const [call, run] of Object.entries(calls))
      test(`a set in the place of ${damage[1]}: ${call} writes nothing at all`, async () => {
        await damaged(damage)
        const before = await dump('n', 'v:a', 'l:a', 'vi', 'li', 'vx', 'lx', 'ch')
        await expect(run(storage)).rejects.toMatchObject({ code: 'STORAGE_CORRUPT', effect: 'none', retry: 'never' })
        expect(await dump('n', 'v:a', 'l:a', 'vi', 'li', 'vx', 'lx', 'ch')).toEqual(before)
      })

  test('a watch ends with it, instead of asking again for ever', async () => {
    const row = storage.keyValue.watch('a')[Symbol.asyncIterator]()
    await storage.keyValue.put('a', '1')
    await damaged(strangeRevision)
    await expect(row.next()).rejects.toMatchObject({ code: 'STORAGE_CORRUPT' })
    const numbered = storage.keyValue.watch('b')[Symbol.asyncIterator]()
    await damaged(['set', 'n', 'abc'])
    await expect(numbered.next()).rejects.toMatchObject({ code: 'STORAGE_CORRUPT' })
  })

  test.each(numbers)('%s %s %s: a storage does not open on it, and is down', async (...damage) => {
    await damaged(damage as unknown as Damage)
    await expect(redisStorage(connected.client, { prefix }).open()).rejects.toMatchObject({ code: 'STORAGE_CORRUPT' })
    expect(await storage.health()).toMatchObject({ status: 'down', reason: expect.stringContaining(`{${prefix}}:n`) })
  })
})
