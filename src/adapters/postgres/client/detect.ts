import type { Clock } from '../../../core/clock.ts'
import { invalidOption } from '../../../core/options.ts'
import type { PgClient, PgClientOptions } from './client.ts'
import { type PgPool, pgClient } from './pg-client.ts'
import { postgresJsClient } from './postgres-js-client.ts'
import type { PostgresJs } from './postgres-js-raw.ts'

const has = (value: object, ...methods: readonly string[]): boolean =>
  methods.every((name) => typeof (value as Record<string, unknown>)[name] === 'function')

/** A pool of `pg` (8), told from a client by its counts. */
export const isPgPool = (value: unknown): value is PgPool =>
  typeof value === 'object' &&
  value !== null &&
  has(value, 'connect', 'query') &&
  typeof (value as { totalCount?: unknown }).totalCount === 'number'

/** The `sql` of postgres.js (3.4), told from one inside a transaction by `begin`. */
export const isPostgresJs = (value: unknown): value is PostgresJs => typeof value === 'function' && has(value, 'unsafe', 'begin', 'listen')

interface JsOptions {
  readonly transform?: { readonly row?: { readonly from?: unknown } }
}

/**
 * The client for whatever pool is given.
 *
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none) for anything else.
 */
export function clientOf(owner: string, pool: unknown, options: PgClientOptions & { readonly clock: Clock }): PgClient {
  if (isPgPool(pool)) return pgClient(pool, options)
  if (!isPostgresJs(pool)) throw invalidOption(owner, 'pool', 'a Pool of pg, or the sql of postgres (postgres.js)', pool)
  // It would be applied to our rows too, and there is no way around it for a single query.
  const from = (pool as { readonly options?: JsOptions }).options?.transform?.row?.from
  if (typeof from === 'function') throw invalidOption(owner, 'pool', 'an sql without transform.row (give holdfast one of its own)', pool)
  return postgresJsClient(pool, options)
}
