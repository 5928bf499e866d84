// Clients of both packages, prefixes of a test's own, and their removal.
import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import type { RedisClient } from '../../../src/adapters/redis/index.ts'

export const URL = 'redis://127.0.0.1:6379'

export interface Connected {
  readonly client: RedisClient
  readonly end: () => Promise<void>
}

export const packages: Readonly<Record<'ioredis' | 'redis', (url?: string) => Promise<Connected>>> = {
  ioredis: async (url = URL) => {
    const client = new Redis(url)
    client.on('error', () => {})
    return { client, end: async () => client.disconnect() }
  },
  redis: async (url = URL) => {
    const client = createClient({ url })
    client.on('error', () => {})
    await client.connect()
    return {
      client,
      end: async () => {
        if (client.isOpen) client.destroy()
      },
    }
  },
}

export const freshPrefix = (): string => `holdfast-test-${randomUUID()}`

/** Runs one command beside the adapter. */
export async function beside<T>(work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(URL)
  try {
    return await work(redis)
  } finally {
    redis.disconnect()
  }
}

export const keysOf = (prefix: string): Promise<string[]> =>
  beside(async (redis) => {
    const found: string[] = []
    for await (const keys of redis.scanStream({ match: `{${prefix}}:*`, count: 1_000 })) found.push(...(keys as string[]))
    return found
  })

export const removeAll = (prefix: string): Promise<void> =>
  beside(async (redis) => {
    for await (const keys of redis.scanStream({ match: `{${prefix}}:*`, count: 1_000 }))
      if ((keys as string[]).length > 0) await redis.del(...(keys as string[]))
  })

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
