/** What this adapter uses of an ioredis client or cluster. */
export interface IoredisClient {
  readonly status: string
  evalsha(sha: string, keys: number, ...args: string[]): Promise<unknown>
  eval(script: string, keys: number, ...args: string[]): Promise<unknown>
  duplicate(): IoredisSubscriber
}

export interface IoredisSubscriber {
  on(event: string, listener: () => void): unknown
  subscribe(channel: string): Promise<unknown>
  disconnect(): void
}

/** What this adapter uses of a node-redis client or cluster (the package `redis`); it is connected by whoever made it. */
export interface NodeRedisClient {
  readonly isOpen: boolean
  evalSha(sha: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>
  duplicate(): NodeRedisSubscriber
}

export interface NodeRedisSubscriber {
  readonly isOpen: boolean
  on(event: string, listener: () => void): unknown
  connect(): Promise<unknown>
  subscribe(channel: string, listener: () => void): Promise<unknown>
  destroy(): void
}

export type RedisClient = IoredisClient | NodeRedisClient

const has = (value: unknown, ...methods: string[]): boolean =>
  typeof value === 'object' && value !== null && methods.every((name) => typeof (value as Record<string, unknown>)[name] === 'function')

export const isNodeRedis = (value: unknown): value is NodeRedisClient => has(value, 'evalSha', 'eval', 'duplicate')
export const isIoredis = (value: unknown): value is IoredisClient => has(value, 'evalsha', 'eval', 'duplicate')
