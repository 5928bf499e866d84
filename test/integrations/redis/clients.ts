// Clients of the real ioredis and redis (node-redis), closed after the test.
import { createServer } from 'node:net'
import { Redis } from 'ioredis'
import { createClient, type RedisClientOptions } from 'redis'
import { onTestFinished } from 'vitest'

const server = { host: '127.0.0.1', port: 6379 }

interface IoredisOptions {
  readonly port?: number
  readonly keyPrefix?: string
  readonly lazyConnect?: boolean
  readonly enableOfflineQueue?: boolean
  readonly maxRetriesPerRequest?: number
  readonly retryStrategy?: () => number | null
}

export function openIoredis(options: IoredisOptions = {}): Redis {
  const client = new Redis({ ...server, ...options })
  client.on('error', () => {})
  onTestFinished(() => client.disconnect())
  return client
}

/** Connected only where asked for, because without a server that never ends. */
export function makeNodeRedis({ socket, ...options }: Partial<RedisClientOptions> = {}) {
  const client = createClient({ ...options, socket: { ...server, ...(socket as object) } })
  client.on('error', () => {})
  onTestFinished(() => {
    if (client.isOpen) client.destroy()
  })
  return client
}

export async function openNodeRedis(options?: Partial<RedisClientOptions>) {
  const client = makeNodeRedis(options)
  await client.connect()
  return client
}

/** Removes everything whose key begins so. */
export async function sweep(prefix: string): Promise<void> {
  const client = new Redis(server)
  const keys = await client.keys(`${prefix}*`)
  if (keys.length > 0) await client.del(...keys)
  client.disconnect()
}

/** A port on which nobody listens. */
export async function closedPort(): Promise<number> {
  const listener = createServer()
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const { port } = listener.address() as { port: number }
  await new Promise((resolve) => listener.close(resolve))
  return port
}
