import { afterAll, describe, expect, expectTypeOf, test } from 'vitest'
import { bulkhead, circuitBreaker, consecutive, policies, redisFailures, timeout } from '../../../src/index.ts'
import { testClock } from '../../../src/testing/test-clock.ts'
import { describeWith } from '../../support/services.ts'
import { turn } from '../http.ts'
import { closedPort, makeNodeRedis, openNodeRedis, sweep } from './clients.ts'

const PREFIX = 'holdfast-wrap-node-redis:'
const key = (name: string): string => PREFIX + name
const breaks = () => circuitBreaker({ trips: consecutive(1), classify: redisFailures })

describeWith('redis', 'wrapMethods on node-redis', () => {
  afterAll(() => sweep(PREFIX))

  test('answers as the client does, with its type', async () => {
    const redis = await openNodeRedis()
    const guarded = breaks().wrapMethods(redis, ['get', 'set', 'mGet', 'hSet', 'hGetAll', 'sendCommand'])
    expectTypeOf(guarded).toEqualTypeOf<typeof redis>()
    expect(await guarded.set(key('a'), 'x', { EX: 60, NX: true })).toBe('OK')
    expect(await guarded.set(key('a'), 'y', { NX: true })).toBeNull()
    expect(await guarded.get(key('a'))).toBe('x')
    expect(await guarded.mGet([key('a'), key('none')])).toEqual(['x', null])
    await guarded.hSet(key('h'), { f: '1', g: '2' })
    expect({ ...(await guarded.hGetAll(key('h'))) }).toEqual({ f: '1', g: '2' })
    expect(await guarded.sendCommand(['STRLEN', key('a')])).toBe(1)
  })

  test('leaves what is not named as it is: transactions, iterators, other commands, readouts', async () => {
    const door = bulkhead({ concurrent: 1, queued: 0 })
    const guarded = door.wrapMethods(await openNodeRedis(), ['get', 'set', 'blPop'])
    const waiting = guarded.blPop(key('list'), 0)
    await expect(guarded.get(key('a'))).rejects.toMatchObject({ code: 'BULKHEAD_FULL', effect: 'none' })

    const other = door.wrapMethods(await openNodeRedis(), ['get', 'set'])
    expect(await other.multi().set(key('m'), '1').incr(key('m')).get(key('m')).exec()).toEqual(['OK', 2, '2'])
    expect(await other.incr(key('m'))).toBe(3)
    const found: string[] = []
    for await (const keys of other.scanIterator({ MATCH: `${PREFIX}m*`, COUNT: 1_000 })) found.push(...keys)
    expect(found).toEqual([key('m')])
    expect([door.running, other.isReady, other.isOpen]).toEqual([1, true, true])

    await other.rPush(key('list'), 'x')
    expect(await waiting).toEqual({ key: key('list'), element: 'x' })
    expect(await guarded.get(key('m'))).toBe('3')
  })

  test.each([
    ['LOADING Redis is loading the dataset in memory', 'open'],
    ['READONLY You can not write against a read only replica.', 'open'],
    ['MISCONF Redis is configured to save RDB snapshots', 'open'],
    ['ERR something of the program', 'closed'],
  ])('a reply %s leaves the breaker %s, also within a transaction', async (reply, state) => {
    const redis = await openNodeRedis()
    const [alone, together] = [breaks(), breaks()]
    const call = { keys: [], arguments: [reply] }
    const script = 'return redis.error_reply(ARGV[1])'
    await expect(alone.wrapMethods(redis, ['eval']).eval(script, call)).rejects.toThrow(reply)
    await expect(together.run(() => redis.multi().ping().eval(script, call).exec())).rejects.toThrow('1 commands failed')
    expect([alone.state, together.state]).toEqual([state, state])
  })

  test('WRONGTYPE does not count', async () => {
    const breaker = breaks()
    const redis = await openNodeRedis()
    await redis.set(key('text'), 'x')
    await expect(breaker.wrapMethods(redis, ['lPush']).lPush(key('text'), 'y')).rejects.toThrow('WRONGTYPE')
    expect(breaker.state).toBe('closed')
  })

  test('a connection that the server ends during a call counts', async () => {
    const breaker = breaks()
    const redis = await openNodeRedis()
    const id = await redis.clientId()
    const ended = expect(breaker.wrapMethods(redis, ['blPop']).blPop(key('nothing'), 0)).rejects.toThrow('Socket closed unexpectedly')
    const operator = await openNodeRedis()
    while (!(await operator.sendCommand<string>(['CLIENT', 'LIST', 'ID', String(id)])).includes('cmd=blpop')) await turn()
    await operator.sendCommand(['CLIENT', 'KILL', 'ID', String(id)])
    await ended
    expect(breaker.state).toBe('open')
  })

  test('the program’s own destroy during a call does not count, a call on the closed client does', async () => {
    const breaker = breaks()
    const redis = await openNodeRedis()
    const guarded = breaker.wrapMethods(redis, ['blPop', 'get'])
    const ended = expect(guarded.blPop(key('nothing'), 0)).rejects.toThrow('Disconnects client')
    redis.destroy()
    await ended
    expect(breaker.state).toBe('closed')
    await expect(guarded.get('x')).rejects.toThrow('The client is closed')
    expect(breaker.state).toBe('open')
  })

  test('a call that nobody waits for any more keeps its slot until the reply comes', async () => {
    const clock = testClock()
    const one = bulkhead({ concurrent: 1, queued: 0 })
    const guarded = policies(one, timeout({ timeoutMs: 50, clock })).wrapMethods(await openNodeRedis(), ['blPop'])
    const late = expect(guarded.blPop(key('late'), 0)).rejects.toMatchObject({ code: 'TIMEOUT', effect: 'unknown' })
    await clock.advance(50)
    await late
    expect(one.running).toBe(1)
    const other = await openNodeRedis()
    await other.rPush(key('late'), 'x')
    while (one.running > 0) await turn()
    expect(one.stats().abandoned).toBe(0)
  })
})

describe('wrapMethods on node-redis without a server', () => {
  test('a client that never came up opens the breaker, by connect and by a command', async () => {
    const [connecting, asking] = [breaks(), breaks()]
    const redis = makeNodeRedis({ socket: { port: await closedPort(), reconnectStrategy: false } })
    await expect(connecting.wrapMethods(redis, ['connect']).connect()).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await expect(asking.wrapMethods(redis, ['get']).get('x')).rejects.toThrow('The client is closed')
    expect([connecting.state, asking.state]).toEqual(['open', 'open'])
  })

  test('a client without an offline queue opens it, too, which then answers at once', async () => {
    const breaker = breaks()
    const redis = makeNodeRedis({ disableOfflineQueue: true, socket: { port: await closedPort(), reconnectStrategy: () => 1 } })
    const failed = new Promise((resolve) => redis.once('error', resolve))
    redis.connect().catch(() => {})
    await failed
    const guarded = breaker.wrapMethods(redis, ['get'])
    await expect(guarded.get('x')).rejects.toThrow('The client is offline')
    await expect(guarded.get('x')).rejects.toMatchObject({ code: 'BREAKER_OPEN', effect: 'none' })
  })
})
