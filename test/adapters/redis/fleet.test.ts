import { afterEach, beforeEach, expect, test } from 'vitest'
import { type RedisStorage, redisStorage } from '../../../src/adapters/redis/index.ts'
import { type CircuitBreaker, circuitBreaker, consecutive, type Fleet, fleet } from '../../../src/index.ts'
import { describeWith } from '../../support/services.ts'
import { type Connected, freshPrefix, packages, removeAll, sleep } from './support.ts'
import { type Way, wayToRedis } from './way.ts'

/** Waits for what comes by itself, up to ten seconds. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let round = 0; round < 1_000 && !(await holds()); round++) await sleep(10)
  expect(await holds()).toBe(true)
}

const fails = async (): Promise<never> => {
  throw new Error('down')
}

describeWith('redis', 'a fleet on Redis', () => {
  const prefix = freshPrefix()
  let way: Way
  let clients: Connected[] = []
  let storages: RedisStorage[] = []
  let breakers: CircuitBreaker[] = []
  let fleets: Fleet[] = []
  beforeEach(async () => {
    way = await wayToRedis()
    clients = await Promise.all([packages.ioredis(way.url), packages.redis(), packages.ioredis(), packages.redis()])
    storages = clients.map(({ client }) => redisStorage(client, { prefix, timeoutMs: 500 }))
    for (const storage of storages) await storage.open()
    breakers = storages.map(() => circuitBreaker({ name: 'inventory', trips: consecutive(1), openMs: 400 }))
    fleets = breakers.map((breaker, n) =>
      fleet(breaker, { store: storages[n] as RedisStorage, quorum: 2, heartbeatMs: 100, staleMs: 1_500, storeTimeoutMs: 500 }),
    )
    for (const each of fleets) await each.start()
  })
  afterEach(async () => {
    for (const each of fleets) await each.close()
    for (const storage of storages) await storage.close()
    for (const { end } of clients) await end()
    await way.close()
    await removeAll(prefix)
  })

  test('opens for all, lets one probe at a time, and closes for all', async () => {
    for (const breaker of breakers.slice(0, 2)) await breaker.tryRun(fails)
    await until(() => fleets.every(({ state }) => state === 'open'))
    expect(await breakers[3]?.tryRun(async () => 1)).toMatchObject({ ok: false, error: { code: 'BREAKER_OPEN' } })
    let probing = 0
    let most = 0
    let probes = 0
    const probe = async (): Promise<string> => {
      probing += 1
      probes += 1
      most = Math.max(most, probing)
      await sleep(60)
      probing -= 1
      if (probes < 3) throw new Error('still down')
      return 'it works'
    }
    await until(async () => {
      const outcomes = await Promise.all(breakers.map((breaker) => breaker.tryRun(probes < 3 ? probe : async () => 'it works')))
      return outcomes.every(({ ok }) => ok)
    })
    expect(most).toBe(1)
    expect(probes).toBe(3)
    await until(() => fleets.every(({ state }) => state === 'closed'))
    expect(breakers.map(({ state }) => state)).toEqual(['closed', 'closed', 'closed', 'closed'])
  })

  test('has an instance that is cut off decide alone, and takes it back', async () => {
    for (const breaker of breakers.slice(1, 3)) await breaker.tryRun(fails)
    await until(() => fleets.every(({ state }) => state === 'open'))
    await way.cut()
    await until(() => fleets[0]?.state === 'alone')
    expect(await breakers[0]?.tryRun(async () => 'alone')).toMatchObject({ ok: true, value: 'alone' })
    await way.heal()
    await until(() => fleets[0]?.state === 'open')
    await until(async () => {
      await breakers[0]?.tryRun(async () => 'it works')
      return fleets.every(({ state }) => state === 'closed')
    })
  })
})
