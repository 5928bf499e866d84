// Removes what the example left in Redis; a service leaves it there.
import { Redis } from 'ioredis'

export async function forget(prefix: string): Promise<void> {
  const redis = new Redis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379')
  for await (const keys of redis.scanStream({ match: `{${prefix}}:*` })) if (keys.length > 0) await redis.del(...keys)
  redis.disconnect()
}
