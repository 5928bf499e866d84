export type { IoredisClient, IoredisSubscriber, NodeRedisClient, NodeRedisSubscriber, RedisClient } from './slice.ts'
export { type RedisStorage, type RedisStorageOptions, redisStorage } from './storage.ts'
