import { type Cluster, Redis } from 'ioredis'
import { createClient, type createCluster, RESP_TYPES } from 'redis'
import { afterEach, beforeEach, describe, expect, expectTypeOf, test } from 'vitest'
import { type RedisClient, redisStorage } from '../../../src/adapters/redis/index.ts'
import { describeWith } from '../../support/services.ts'
import { beside, freshPrefix, removeAll, URL } from './support.ts'

describe('types', () => {
  test('take clients and clusters of both packages', () => {
    expectTypeOf<Redis>().toExtend<RedisClient>()
    expectTypeOf<Cluster>().toExtend<RedisClient>()
    expectTypeOf<ReturnType<typeof createClient>>().toExtend<RedisClient>()
    expectTypeOf<ReturnType<typeof createCluster>>().toExtend<RedisClient>()
    expectTypeOf<Map<string, string>>().not.toExtend<RedisClient>()
  })
})

/** Writes, compares, lists, watches, leads. */
async function works(client: RedisClient, prefix: string): Promise<void> {
  const storage = redisStorage(client, { prefix })
  await storage.open()
  const { keyValue, lease } = storage
  const watch = keyValue.watch('')[Symbol.asyncIterator]()
  expect(await keyValue.put('\u{1f600}', 'x\u0000', { ttlMs: 60_000 })).toMatchObject({ ok: true })
  expect(await watch.next()).toMatchObject({ value: { key: '\u{1f600}', entry: { value: 'x\u0000' } } })
  expect(await keyValue.put('\u{1f600}', 'y', { expect: 'none' })).toMatchObject({ ok: false, entry: { value: 'x\u0000' } })
  expect(await keyValue.increment('n', 2)).toEqual({ value: 2 })
  expect((await keyValue.list()).map(({ key }) => key)).toEqual(['n', '\u{1f600}'])
  const grant = await lease.acquire('a', 'one', { ttlMs: 60_000 })
  expect(await lease.acquire('a', 'two', { ttlMs: 60_000 })).toBeUndefined()
  expect(await lease.renew(grant ?? ({} as never), { ttlMs: 60_000 })).toMatchObject({ token: grant?.token })
  expect(await lease.list()).toMatchObject([{ name: 'a', owner: 'one', token: grant?.token }])
  expect(await keyValue.delete('n')).toBe(true)
  await storage.close()
}

describeWith('redis', 'clients with settings of their own', () => {
  let prefix: string
  beforeEach(() => {
    prefix = freshPrefix()
  })
  afterEach(() => removeAll(prefix))

  test('ioredis with a keyPrefix: everything stands under both', async () => {
    const client = new Redis(URL, { keyPrefix: `${prefix}/` })
    await works(client, prefix)
    client.disconnect()
    await beside(async (redis) => {
      const keys = await redis.keys(`${prefix}/{${prefix}}:*`)
      expect(keys.length).toBeGreaterThan(3)
      expect(await redis.keys(`{${prefix}}:*`)).toEqual([])
      await redis.del(...keys)
    })
  })

  test('ioredis that connects at the first command', async () => {
    const client = new Redis(URL, { lazyConnect: true })
    await works(client, prefix)
    client.disconnect()
  })

  test.each([2, 3] as const)('redis that speaks RESP%i', async (RESP) => {
    const client = createClient({ url: URL, RESP })
    await client.connect()
    await works(client as never, prefix)
    client.destroy()
  })

  test('redis that answers with buffers', async () => {
    const client = createClient({ url: URL }).withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer })
    client.on('error', () => {})
    await client.connect()
    await works(client as never, prefix)
    client.destroy()
  })
})
