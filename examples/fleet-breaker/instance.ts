// One process of three: a breaker, and the fleet that it belongs to.
import { circuitBreaker, consecutive, fleet, HoldfastError } from 'holdfast'
import { redisStorage } from 'holdfast/redis'
import { Redis } from 'ioredis'

const { name, url, prefix } = JSON.parse(process.argv[2] as string) as { name: string; url: string; prefix: string }

// #region fleet
const redis = new Redis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379')
const storage = redisStorage(redis, { prefix })
await storage.open()

const breaker = circuitBreaker({
  name: 'inventory',
  trips: consecutive(2),
  openMs: 8_000,
  classify: (outcome) => (outcome.ok && outcome.value === 200 ? 'success' : 'failure'),
})
const together = fleet(breaker, { store: storage, quorum: { share: 0.5, minimum: 2 }, instance: name, heartbeatMs: 200 })
await together.start()
// #endregion

async function call(): Promise<string> {
  const outcome = await breaker.tryRun(async ({ signal }) => (await fetch(url, { signal })).status)
  if (outcome.ok) return String(outcome.value)
  return outcome.error instanceof HoldfastError ? outcome.error.code : 'unreachable'
}

async function stop(): Promise<void> {
  await together.close()
  await storage.close()
  redis.disconnect()
  process.disconnect()
}

process.on('message', async (question) => {
  if (question === 'stop') await stop()
  else process.send?.(question === 'call' ? await call() : { breaker: breaker.state, fleet: together.state })
})
process.send?.('ready')
