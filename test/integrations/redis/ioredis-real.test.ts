import type { Redis } from 'ioredis'
import { afterAll, describe, expect, expectTypeOf, test } from 'vitest'
import { bulkhead, circuitBreaker, consecutive, policies, redisFailures, retry, timeout } from '../../../src/index.ts'
import { testClock } from '../../../src/testing/test-clock.ts'
import { describeWith } from '../../support/services.ts'
import { turn } from '../http.ts'
import { closedPort, openIoredis, sweep } from './clients.ts'

const PREFIX = 'holdfast-wrap-ioredis:'
const key = (name: string): string => PREFIX + name
const breaks = () => circuitBreaker({ trips: consecutive(1), classify: redisFailures })

describeWith('redis', 'wrapMethods on ioredis', () => {
  afterAll(() => sweep(PREFIX))

  test('answers as the client does, with its type, overloads and callbacks', async () => {
    const redis = openIoredis()
    const guarded = breaks().wrapMethods(redis, ['get', 'set', 'mget', 'hset', 'hgetall'])
    expectTypeOf(guarded).toEqualTypeOf<Redis>()
    expectTypeOf(guarded.get('x')).toEqualTypeOf<Promise<string | null>>()
    expect(await guarded.set(key('a'), 'x', 'EX', 60, 'NX')).toBe('OK')
    expect(await guarded.set(key('a'), 'y', 'NX')).toBeNull()
    expect(await guarded.get(key('a'))).toBe('x')
    expect(await guarded.mget([key('a'), key('none')])).toEqual(['x', null])
    await guarded.hset(key('h'), { f: '1', g: '2' })
    expect(await guarded.hgetall(key('h'))).toEqual({ f: '1', g: '2' })
    const told = await new Promise((resolve) => guarded.get(key('a'), (error, value) => resolve([error, value])))
    expect(told).toEqual([null, 'x'])
  })

  test('leaves what is not named as it is: pipelines, transactions, scripts, other commands, events', async () => {
    const door = bulkhead({ concurrent: 1, queued: 0 })
    const redis = openIoredis({ keyPrefix: PREFIX })
    const guarded = door.wrapMethods(redis, ['get', 'set', 'blpop'])
    const waiting = guarded.blpop('list', 0)
    await expect(guarded.get('a')).rejects.toMatchObject({ code: 'BULKHEAD_FULL', effect: 'none' })

    const other = openIoredis({ keyPrefix: PREFIX })
    other.defineCommand('twice', { numberOfKeys: 1, lua: 'return redis.call("INCRBY", KEYS[1], 2)' })
    const unguarded = door.wrapMethods(other, ['get', 'set'])
    const piped = await unguarded.pipeline().set('p', '1').incr('p').get('p').exec()
    expect(piped).toEqual([
      [null, 'OK'],
      [null, 2],
      [null, '2'],
    ])
    expect(await unguarded.multi().set('p', '5').get('p').exec()).toEqual([
      [null, 'OK'],
      [null, '5'],
    ])
    expect(await unguarded.incr('p')).toBe(6)
    expect(await (unguarded as Redis & { twice(key: string): Promise<number> }).twice('p')).toBe(8)
    expect([door.running, unguarded.status, unguarded.options.keyPrefix]).toEqual([1, 'ready', PREFIX])

    await other.rpush('list', 'x')
    expect(await waiting).toEqual([`${PREFIX}list`, 'x'])
    expect(await guarded.get('p')).toBe('8')
    expect(redis.get).not.toBe(guarded.get)
  })

  test.each([
    ['LOADING Redis is loading the dataset in memory', 'open'],
    ['READONLY You can not write against a read only replica.', 'open'],
    ['OOM command not allowed when used memory > maxmemory', 'open'],
    ['NOSCRIPT No matching script', 'closed'],
    ['ERR something of the program', 'closed'],
  ])('a reply %s leaves the breaker %s', async (reply, state) => {
    const breaker = breaks()
    const guarded = breaker.wrapMethods(openIoredis(), ['eval'])
    await expect(guarded.eval('return redis.error_reply(ARGV[1])', 0, reply)).rejects.toThrow(reply)
    expect(breaker.state).toBe(state)
  })

  test('WRONGTYPE and a transaction that was discarded for an error of the program do not count', async () => {
    const breaker = breaks()
    const redis = openIoredis()
    const guarded = breaker.wrapMethods(redis, ['lpush', 'exec'])
    await redis.set(key('text'), 'x')
    await expect(guarded.lpush(key('text'), 'y')).rejects.toThrow('WRONGTYPE')
    const discarded = () => (redis.multi() as unknown as { set(key: string): { exec(): Promise<unknown> } }).set(key('text')).exec()
    await expect(breaker.run(discarded)).rejects.toThrow('EXECABORT')
    expect(breaker.state).toBe('closed')
  })

  test('a call that the client’s disconnect ends counts, and so does each after it', async () => {
    const [ending, after] = [breaks(), breaks()]
    const redis = openIoredis()
    const id = String(await redis.client('ID'))
    const ended = expect(ending.wrapMethods(redis, ['blpop']).blpop(key('nothing'), 0)).rejects.toThrow('Connection is closed')
    const operator = openIoredis()
    while (!String(await operator.client('LIST', 'ID', id)).includes('cmd=blpop')) await turn()
    redis.disconnect()
    await ended
    await expect(after.wrapMethods(redis, ['get']).get('x')).rejects.toThrow('Connection is closed')
    expect([ending.state, after.state]).toEqual(['open', 'open'])
  })

  test('a call that nobody waits for any more keeps its slot until the reply comes', async () => {
    const clock = testClock()
    const one = bulkhead({ concurrent: 1, queued: 0 })
    const guarded = policies(one, timeout({ timeoutMs: 50, clock })).wrapMethods(openIoredis(), ['blpop'])
    const late = expect(guarded.blpop(key('late'), 0)).rejects.toMatchObject({ code: 'TIMEOUT', effect: 'unknown' })
    await clock.advance(50)
    await late
    expect(one.running).toBe(1)
    await openIoredis().rpush(key('late'), 'x')
    while (one.running > 0) await turn()
    expect(one.stats().abandoned).toBe(0)
  })
})

describe('wrapMethods on ioredis without a server', () => {
  const gone = async (options = {}) => openIoredis({ port: await closedPort(), retryStrategy: () => 1, ...options })

  test('MaxRetriesPerRequest opens the breaker, which then answers at once', async () => {
    const breaker = breaks()
    const guarded = breaker.wrapMethods(await gone({ maxRetriesPerRequest: 1 }), ['get'])
    await expect(guarded.get('x')).rejects.toMatchObject({ name: 'MaxRetriesPerRequestError' })
    await expect(guarded.get('x')).rejects.toMatchObject({ code: 'BREAKER_OPEN', effect: 'none' })
  })

  test('a client without an offline queue opens it, too', async () => {
    const breaker = breaks()
    const guarded = breaker.wrapMethods(await gone({ enableOfflineQueue: false }), ['get'])
    await expect(guarded.get('x')).rejects.toThrow('enableOfflineQueue')
    expect(breaker.state).toBe('open')
  })

  test('a client that does not reconnect opens it, too, and a retry tries as often as it may', async () => {
    const breaker = circuitBreaker({ trips: consecutive(3), classify: redisFailures })
    const again = retry({ attempts: 3, delayMs: 0 })
    const guarded = policies(again, breaker).wrapMethods(await gone({ lazyConnect: true, retryStrategy: () => null }), ['get'])
    await expect(guarded.get('x')).rejects.toThrow('Connection is closed')
    expect([breaker.state, again.stats().retried]).toEqual(['open', 2])
  })
})
