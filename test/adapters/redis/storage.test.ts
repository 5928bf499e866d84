import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type IoredisClient, type NodeRedisClient, redisStorage } from '../../../src/adapters/redis/index.ts'
import { describeWith } from '../../support/services.ts'
import { beside, type Connected, freshPrefix, keysOf, packages, removeAll, sleep } from './support.ts'

test.each([
  ['a client of another kind', {}, {}, 'client must be a client of ioredis or redis'],
  ['no client', undefined, {}, 'client must be'],
  ['a prefix with braces', fake(), { prefix: 'a}b' }, 'prefix must be'],
  ['an unknown option', fake(), { ttl: 1 }, 'unknown option ttl'],
  ['a value that is too long for Redis', fake(), { valueMaxBytes: 1e12 }, 'valueMaxBytes must be'],
])('refuses %s', (_, client, options, reason) => {
  expect(() => redisStorage(client as never, options as object)).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTIONS', message: expect.stringContaining(reason) }),
  )
})

function fake(): object {
  return { evalsha() {}, eval() {}, duplicate() {} }
}

for (const name of ['ioredis', 'redis'] as const) {
  describeWith('redis', `on ${name}`, () => {
    let connected: Connected
    let prefix: string
    beforeAll(async () => {
      connected = await packages[name]()
    })
    afterAll(() => connected.end())
    beforeEach(() => {
      prefix = freshPrefix()
    })
    afterEach(() => removeAll(prefix))

    const opened = async (options: object = {}) => {
      const storage = redisStorage(connected.client, { prefix, ...options })
      await storage.open()
      return storage
    }

    test('carries two ports and knows how it is', async () => {
      const storage = redisStorage(connected.client, { prefix })
      expect(storage).toMatchObject({ engine: 'redis', ports: ['keyValue', 'lease'] })
      await storage.migrate()
      await storage.open()
      expect(await storage.health()).toEqual({ status: 'ok' })
      await storage.close()
      await expect(storage.keyValue.get('a')).rejects.toMatchObject({ code: 'NOT_STARTED' })
      await expect(storage.lease.holder('a')).rejects.toMatchObject({ code: 'NOT_STARTED' })
    })

    test('never closes the client', async () => {
      const storage = await opened()
      await storage.close()
      await storage.open()
      expect((await storage.keyValue.put('a', 'x')).ok).toBe(true)
    })

    test('goes on above what was given out, where the row of numbers was lost', async () => {
      const { keyValue, lease } = await opened()
      const before = await keyValue.put('a', 'x')
      const grant = await lease.acquire('a', 'one', { ttlMs: 10_000 })
      await beside((redis) => redis.del(`{${prefix}}:n`, `{${prefix}}:l:a`))
      const after = await keyValue.put('a', 'y')
      const next = await lease.acquire('a', 'two', { ttlMs: 10_000 })
      expect(after.ok && before.ok && after.revision > before.revision).toBe(true)
      expect(next?.token).toBeGreaterThan(grant?.token ?? Number.POSITIVE_INFINITY)
    })

    test('goes on above what was given out, where the clock was set back', async () => {
      const { keyValue } = await opened()
      const ahead = Date.now() * 1_000 + 3_600_000_000
      await beside((redis) => redis.set(`{${prefix}}:n`, String(ahead)))
      expect(await keyValue.put('a', 'x')).toEqual({ ok: true, revision: ahead + 1 })
      expect(await keyValue.put('a', 'x')).toEqual({ ok: true, revision: ahead + 2 })
    })

    test('watches on where the server has fallen behind what it had said', async () => {
      await beside((redis) => redis.set(`{${prefix}}:n`, String(Date.now() * 1_000 + 3_600_000_000)))
      const { keyValue, close } = await opened()
      await beside((redis) => redis.del(`{${prefix}}:n`))
      const watch = keyValue.watch('')[Symbol.asyncIterator]()
      await keyValue.put('a', 'x')
      expect(await watch.next()).toMatchObject({ value: { key: 'a', entry: { value: 'x' } } })
      await close()
    })

    test('tells a watch nothing of what this process had done before it was called', async () => {
      const { keyValue, close } = await opened()
      keyValue.watch('')
      for (let n = 0; n < 30; n++) {
        await keyValue.put(`before ${n}`, 'x')
        const stop = new AbortController()
        const watch = keyValue.watch('', stop.signal)[Symbol.asyncIterator]()
        void keyValue.put(`after ${n}`, 'x')
        expect(await watch.next()).toMatchObject({ value: { key: `after ${n}` } })
        stop.abort()
      }
      await close()
    })

    test('ends a watch that has lost touch for a minute', async () => {
      const { keyValue, close } = await opened()
      const watch = keyValue.watch('')[Symbol.asyncIterator]()
      const first = keyValue.put('a', 'x')
      expect(await watch.next()).toMatchObject({ value: { key: 'a' } })
      await first
      // A minute and more of numbers, given out while nobody listened.
      await beside((redis) => redis.set(`{${prefix}}:n`, String(Date.now() * 1_000 + 70_000_000)))
      await expect(watch.next()).rejects.toMatchObject({ code: 'LOG_RESET', effect: 'none', retry: 'later' })
      await close()
    })

    test('keeps nothing of keys and leases whose time is over', async () => {
      const { keyValue, lease } = await opened()
      for (let n = 0; n < 25; n++) {
        await keyValue.put(`k${n}`, 'x', { ttlMs: 1 })
        await lease.acquire(`l${n}`, 'one', { ttlMs: 1 })
      }
      await sleep(20)
      await keyValue.list()
      await lease.list()
      expect((await keysOf(prefix)).sort()).toEqual([`{${prefix}}:ch`, `{${prefix}}:n`])
    })

    test('forgets the end of what is kept on without one', async () => {
      const { keyValue } = await opened()
      await keyValue.put('a', 'x', { ttlMs: 60_000 })
      expect(await keysOf(prefix)).toContain(`{${prefix}}:vx`)
      await keyValue.put('a', 'y')
      expect(await keysOf(prefix)).not.toContain(`{${prefix}}:vx`)
    })

    test('lists past many that have run out and were not swept', async () => {
      const { keyValue } = await opened()
      await Promise.all(Array.from({ length: 400 }, (_, n) => keyValue.put(`k${String(n).padStart(3, '0')}`, 'x', { ttlMs: 30 })))
      await keyValue.put('z', 'last')
      await beside((redis) => redis.del(`{${prefix}}:vx`))
      await sleep(50)
      expect((await keyValue.list({ limit: 2 })).map(({ key }) => key)).toEqual(['z'])
    })

    test('says so where a key of another type stands under the prefix', async () => {
      const { keyValue } = await opened()
      await beside((redis) => redis.set(`{${prefix}}:v:a`, 'not ours'))
      await expect(keyValue.put('a', 'x')).rejects.toMatchObject({ code: 'STORAGE_CORRUPT', effect: 'none', retry: 'never' })
    })

    test('sends a script in full where the server does not know it', async () => {
      const unknown = 'f'.repeat(40)
      let full = 0
      const strange =
        name === 'ioredis'
          ? wrapped(connected.client as IoredisClient, {
              evalsha: (client, _sha, ...rest) => client.evalsha(unknown, ...rest),
              eval: (client, ...rest) => {
                full += 1
                return client.eval(...rest)
              },
            })
          : wrapped(connected.client as NodeRedisClient, {
              evalSha: (client, _sha, rest) => client.evalSha(unknown, rest),
              eval: (client, ...rest) => {
                full += 1
                return client.eval(...rest)
              },
            })
      const storage = redisStorage(strange, { prefix })
      await storage.open()
      await storage.keyValue.put('a', 'x')
      expect((await storage.keyValue.get('a'))?.value).toBe('x')
      expect(full).toBe(4)
    })

    test('refuses a value beyond its own bound', async () => {
      const { keyValue } = await opened({ valueMaxBytes: 4 })
      expect((await keyValue.put('a', 'ääää'.slice(0, 2))).ok).toBe(true)
      await expect(keyValue.put('a', 'äää')).rejects.toMatchObject({ code: 'INVALID_INPUT', effect: 'none' })
    })
  })
}

type Instead<C> = { [M in keyof C]?: C[M] extends (...args: infer A) => infer R ? (client: C, ...args: A) => R : never }

/** The client, with some methods in front of its own. */
function wrapped<C extends object>(client: C, instead: Instead<C>): C {
  return new Proxy(client, {
    get(target, name) {
      const own = instead[name as keyof C] as ((client: C, ...args: unknown[]) => unknown) | undefined
      if (own !== undefined) return (...args: unknown[]) => own(target, ...args)
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
