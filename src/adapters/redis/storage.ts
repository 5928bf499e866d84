import type { Clock } from '../../core/clock.ts'
import type { HoldfastError } from '../../core/errors.ts'
import { checkOptions, invalidOption } from '../../core/options.ts'
import { any, clock, durationMs, whole } from '../../core/rules.ts'
import type { KeyValue } from '../../ports/key-value.ts'
import type { Lease } from '../../ports/lease.ts'
import type { PartHealth } from '../../ports/part.ts'
import type { Engine } from '../../ports/storage.ts'
import { RedisKeyValue } from './key-value.ts'
import { RedisLease } from './lease.ts'
import { Link } from './link.ts'
import { hello } from './scripts.ts'
import { isIoredis, isNodeRedis, type RedisClient } from './slice.ts'
import { wireOf } from './wire.ts'

export interface RedisStorageOptions {
  /** What all names begin with, as `{prefix}:`; 1 to 100 characters without braces, default `holdfast`. */
  readonly prefix?: string
  /** The longest value that is kept, in bytes of UTF-8, 1 to 64 MiB; default 1 MiB. */
  readonly valueMaxBytes?: number
  /** How long a call waits for Redis, in milliseconds, at least 1; default 5,000. Then `STORAGE_UNAVAILABLE`. */
  readonly timeoutMs?: number
  /** What waiting for Redis is timed by; keys and leases are timed by Redis. Default: the process's clock. */
  readonly clock?: Clock
}

export interface RedisStorage extends Engine {
  readonly keyValue: KeyValue
  readonly lease: Lease
}

const rules = {
  prefix: any<string>(
    'a text of 1 to 100 characters without braces',
    (value) => typeof value === 'string' && /^[^{}]{1,100}$/.test(value),
    'holdfast',
  ),
  valueMaxBytes: whole({ min: 1, max: 64 * 1024 * 1024, default: 1_048_576 }),
  timeoutMs: durationMs({ min: 1, default: 5_000 }),
  clock,
}

/**
 * Keeps small texts and leases in Redis, for all processes that use the same prefix: for shared rate limits, a fleet's breakers, leaders.
 *
 * Each call is one script and one round trip; every comparison happens in Redis and by its clock. Revisions and tokens are one row of
 * numbers, at least the server's time in microseconds: they survive deletion and expiry, and rise even where the row itself was lost, as
 * long as the clock of the server that goes on is not behind.
 *
 * What it does **not** promise is what Redis does not: replication is asynchronous, and with `appendonly no` a restart forgets. A failover
 * or a restart may lose the last writes, acknowledged ones too: a lease can then be given to a second owner while the first still believes
 * in it (under a higher token, so that a resource that compares tokens refuses the first), a value can be an older one, and where the new
 * server's clock is behind, a token can fall. Set `appendonly yes`, and `min-replicas-to-write 1` or `WAIT` where a fence must hold; where
 * it must hold always, keep leases in PostgreSQL. `maxmemory-policy` has to be `noeviction` or one of the `volatile-*`: the `allkeys-*`
 * evict the row of numbers.
 *
 * @param client A client or cluster of `ioredis` 5 or newer, or of `redis` 5 or newer, connected by you. It is never closed, and nothing of
 * it is changed; while something watches, a connection made by its `duplicate()` listens. On Redis Cluster one prefix is one hash slot, so
 * one server carries it: spread load by prefixes.
 * @param options
 * - `prefix`: what all names begin with, as `{prefix}:`; 1 to 100 characters without braces, default `holdfast`.
 * - `valueMaxBytes`: the longest value, 1 to 64 MiB; default 1 MiB.
 * - `timeoutMs`: how long a call waits for Redis, at least 1; default 5,000. A call that was given up is not recalled: effect unknown.
 * - `clock`: what waiting is timed by; default the process's clock.
 *
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none), here. From calls: `STORAGE_UNAVAILABLE` (retry later; effect none for reads, for
 * a client that is closed, and where Redis said that it did not run the call: loading, read-only, out of memory, not allowed; unknown for
 * the other writes); `STORAGE_CORRUPT` (effect none) where the prefix holds something else, or what somebody has changed; `LOG_RESET` from a `watch` that lost touch for a minute.
 *
 * Stored under `{prefix}:`: `n` the latest number · `v:<key>` hash of `v` value and `r` revision · `l:<name>` hash of `o` owner and `t` token
 * · `vi`, `li` sorted sets of keys and names · `vx`, `lx` the same by the end of their time (epoch ms) · `ch` keys changed in the last minute
 * by number · `c` the channel of hints. Needs Redis 6.2 or newer.
 *
 * @example
 * ```ts
 * const redis = new Redis('redis://127.0.0.1:6379')
 * const { keyValue, lease } = redisStorage(redis, { prefix: 'shop' })
 * ```
 */
export function redisStorage(client: RedisClient, options?: RedisStorageOptions): RedisStorage {
  const read = checkOptions('redisStorage', options, rules)
  if (!isNodeRedis(client) && !isIoredis(client)) throw invalidOption('redisStorage', 'client', 'a client of ioredis or redis', client)
  const { prefix, timeoutMs, clock } = read
  const link = new Link({ wire: wireOf(client), prefix, timeoutMs, clock })
  const keyValue = new RedisKeyValue(link, read.valueMaxBytes)
  const lease = new RedisLease(link)
  return {
    engine: 'redis',
    ports: ['keyValue', 'lease'],
    keyValue,
    lease,
    open: async (signal) => {
      await keyValue.open(signal)
      await lease.open(signal)
    },
    migrate: async () => {},
    health: () => healthOf(link),
    close: async () => {
      await keyValue.close()
      await lease.close()
    },
  }
}

async function healthOf(link: Link): Promise<PartHealth> {
  try {
    await link.run(hello, [], { name: 'health', writes: false })
    return { status: 'ok' }
  } catch (error) {
    return { status: 'down', reason: (error as HoldfastError).message }
  }
}
