import { afterAll, beforeAll, expect, test } from 'vitest'
import { redisStorage } from '../../../src/adapters/redis/index.ts'
import { type Limit, rateLimit, slidingWindow, tokenBucket } from '../../../src/index.ts'
import { mostIn } from '../../resilience/shared-rate.ts'
import { describeWith } from '../../support/services.ts'
import { type Connected, freshPrefix, packages, removeAll, sleep } from './support.ts'

const PROCESSES = 6
const RUN_MS = 1_500
const STORE_TIMEOUT_MS = 250

describeWith('redis', 'a rate limit shared through Redis', () => {
  const prefix = freshPrefix()
  let clients: Connected[] = []
  beforeAll(async () => {
    clients = await Promise.all(Array.from({ length: PROCESSES }, (_, n) => packages[n % 2 === 0 ? 'ioredis' : 'redis']()))
  })
  afterAll(async () => {
    for (const { end } of clients) await end()
    await removeAll(prefix)
  })

  /** Callers of six processes who want more than there is: when they passed. */
  async function passed(name: string, limit: Limit): Promise<number[]> {
    const storages = clients.map(({ client }) => redisStorage(client, { prefix }))
    for (const storage of storages) await storage.open()
    const limits = storages.map(({ keyValue }) =>
      rateLimit({ name, limit, store: keyValue, whenStoreFails: 'refuse', storeTimeoutMs: STORE_TIMEOUT_MS }),
    )
    const times: number[] = []
    const endMs = performance.now() + RUN_MS
    const caller = async (n: number): Promise<void> => {
      while (performance.now() < endMs) {
        await limits[n % PROCESSES]?.tryRun(async () => void times.push(performance.now()))
        await sleep(1)
      }
    }
    await Promise.all(Array.from({ length: PROCESSES * 3 }, (_, n) => caller(n)))
    for (const storage of storages) await storage.close()
    return times
  }

  test('never lets more pass in any window than it says', async () => {
    const times = await passed('windowed', slidingWindow({ calls: 40, windowMs: 300 }))
    expect(mostIn(times, 300)).toBeLessThanOrEqual(40)
    expect(times.length).toBeGreaterThan(40)
  })

  test('never lets more pass than burst and rate allow', async () => {
    const times = await passed('bucket', tokenBucket({ ratePerSecond: 100, burst: 20 }))
    for (const spanMs of [1, 20, 100, 500, 1_500])
      expect(mostIn(times, spanMs)).toBeLessThanOrEqual(20 + ((spanMs + 2 * STORE_TIMEOUT_MS + 10) * 100) / 1_000)
    expect(times.length).toBeGreaterThan(20)
  })
})
