import { afterEach, beforeEach, expect, test } from 'vitest'
import { type RedisStorage, redisStorage } from '../../../src/adapters/redis/index.ts'
import type { KeyChange } from '../../../src/ports/key-value.ts'
import { describeWith } from '../../support/services.ts'
import { type Connected, freshPrefix, packages, removeAll, sleep } from './support.ts'
import { type Way, wayToRedis } from './way.ts'

/** Waits for what comes by itself, up to ten seconds. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let round = 0; round < 400 && !(await holds()); round++) await sleep(25)
  expect(await holds()).toBe(true)
}

for (const name of ['ioredis', 'redis'] as const) {
  describeWith('redis', `an outage, seen through ${name}`, () => {
    let way: Way
    let connected: Connected
    let storage: RedisStorage
    let prefix: string
    beforeEach(async () => {
      way = await wayToRedis()
      prefix = freshPrefix()
      connected = await packages[name](way.url)
      storage = redisStorage(connected.client, { prefix, timeoutMs: 300 })
      await storage.open()
    })
    afterEach(async () => {
      await storage.close()
      await connected.end()
      await way.close()
      await removeAll(prefix)
    })

    test('ends every call, tells whether it may have written, and works again afterwards', async () => {
      const grant = await storage.lease.acquire('a', 'one', { ttlMs: 60_000 })
      way.stall()
      const calls = {
        reads: [storage.keyValue.get('a'), storage.keyValue.list(), storage.lease.holder('a'), storage.lease.list()],
        writes: [
          storage.keyValue.put('a', 'x'),
          storage.keyValue.increment('n', 1),
          storage.keyValue.delete('a'),
          storage.lease.acquire('b', 'one', { ttlMs: 10 }),
          storage.lease.release(grant ?? ({} as never)),
        ],
      }
      const codes = async (all: readonly Promise<unknown>[]) =>
        (await Promise.allSettled(all)).map((each) =>
          each.status === 'rejected' ? `${each.reason.code} ${each.reason.effect}` : 'answered',
        )
      expect(new Set(await codes(calls.reads))).toEqual(new Set(['STORAGE_UNAVAILABLE none']))
      expect(new Set(await codes(calls.writes))).toEqual(new Set(['STORAGE_UNAVAILABLE unknown']))
      expect(await storage.health()).toMatchObject({ status: 'down' })
      await way.heal()
      await until(async () => (await storage.health()).status === 'ok')
    })

    test('is unavailable while the server is gone, and finds everything again', async () => {
      await storage.keyValue.put('a', 'x')
      await way.cut()
      await expect(storage.keyValue.get('a')).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE', effect: 'none', retry: 'later' })
      await way.heal()
      await until(async () => (await storage.health()).status === 'ok')
      expect((await storage.keyValue.get('a'))?.value).toBe('x')
    })

    test('leaves at once when the signal aborts, and says that a write may have happened', async () => {
      way.stall()
      const stop = new AbortController()
      const slow = redisStorage(connected.client, { prefix, timeoutMs: 60_000 })
      const read = storage.keyValue.get('a', stop.signal)
      const written = storage.keyValue.put('a', 'x', { signal: stop.signal })
      const opening = slow.open(stop.signal)
      stop.abort(new Error('enough'))
      await expect(read).rejects.toMatchObject({ code: 'ABORTED', effect: 'none', cause: { message: 'enough' } })
      await expect(written).rejects.toMatchObject({ code: 'ABORTED', effect: 'unknown' })
      await expect(opening).rejects.toMatchObject({ code: 'ABORTED' })
      await way.heal()
    })

    test('says that nothing was written where the client was closed', async () => {
      await connected.end()
      await until(async () => (await storage.health()).status === 'down')
      const refused = { code: 'STORAGE_UNAVAILABLE', effect: 'none', retry: 'later' }
      await expect(storage.keyValue.put('a', 'x')).rejects.toMatchObject(refused)
      await expect(storage.lease.acquire('a', 'one', { ttlMs: 10 })).rejects.toMatchObject(refused)
    })

    test('watches on through it, and misses nothing', async () => {
      const other = await packages[name]()
      const direct = redisStorage(other.client, { prefix })
      await direct.open()
      await direct.keyValue.put('gone', 'x')
      const told = new Map<string, string | undefined>()
      const stop = new AbortController()
      const read = async (feed: AsyncIterable<KeyChange>) => {
        for await (const { key, entry } of feed) told.set(key, entry?.value)
      }
      const reading = read(storage.keyValue.watch('', stop.signal))
      await direct.keyValue.put('before', '1')
      await until(() => told.get('before') === '1')
      await way.cut()
      await direct.keyValue.put('during', '2')
      await direct.keyValue.delete('gone')
      await way.heal()
      await until(() => told.get('during') === '2' && told.has('gone'))
      expect(told.get('gone')).toBeUndefined()
      await direct.keyValue.put('after', '3')
      await until(() => told.get('after') === '3')
      stop.abort()
      await reading
      await direct.close()
      await other.end()
    })

    test('leaves no connection behind when nobody watches any more, also where it could not connect', async () => {
      expect(way.open()).toBe(1)
      for (let round = 0; round < 3; round++) {
        const stop = new AbortController()
        storage.keyValue.watch('', stop.signal)
        if (round > 0) await until(() => way.open() === 2)
        stop.abort()
        await until(() => way.open() === 1)
      }
      storage.keyValue.watch('')
      await until(() => way.open() === 2)
      await way.cut()
      await storage.close()
      await way.heal()
      await until(async () => (await storage.health()).status === 'ok')
      await sleep(300)
      expect(way.open()).toBe(1)
    })
  })
}
