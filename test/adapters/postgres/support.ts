// A schema of its own for each test file, and the pools of both drivers that were made for it.
import { randomBytes } from 'node:crypto'
import pg from 'pg'
import postgres from 'postgres'
import { afterAll, beforeAll } from 'vitest'
import type { PgClient, PgClientOptions } from '../../../src/adapters/postgres/client/client.ts'
import { clientOf } from '../../../src/adapters/postgres/client/detect.ts'
import { defaultClock } from '../../../src/core/clock.ts'

export const HOST = '127.0.0.1'
/** Another server than the usual one is tested with PGPORT, which both drivers heed too. */
export const PORT = Number(process.env.PGPORT ?? 5432)
export const URL = `postgres://postgres@${HOST}:${PORT}/postgres`

export const drivers = ['pg', 'postgres.js'] as const
export type Driver = (typeof drivers)[number]

/** What a pool of either driver is made with. */
export interface PoolSettings {
  readonly max?: number
  /** A folder: of a Unix socket. */
  readonly host?: string
  readonly port?: number
  readonly database?: string
  readonly user?: string
  /** Settings of each connection: `{ statement_timeout: '100' }`. */
  readonly settings?: Readonly<Record<string, string>>
}

export interface Pooled {
  readonly pool: pg.Pool | postgres.Sql
  readonly end: () => Promise<void>
}

export function poolOf(
  driver: Driver,
  { max = 4, host = HOST, port = PORT, database = 'postgres', user = 'postgres', settings = {} }: PoolSettings = {},
): Pooled {
  if (driver === 'pg') {
    const options = Object.entries(settings)
      .map(([name, value]) => `-c ${name}=${value.replace(/[\\ ]/g, '\\$&')}`)
      .join(' ')
    const pool = new pg.Pool({ host, port, database, user, max, ...(options !== '' && { options }) })
    // Connections that the tests kill while they are idle.
    pool.on('error', () => {})
    return { pool, end: () => pool.end() }
  }
  const pool = postgres({ host, port, database, user, max, onnotice: () => {}, connection: settings, backoff: () => 0.01 })
  return { pool, end: () => pool.end({ timeout: 0.3 }) }
}

export const isJs = (pool: Pooled['pool']): pool is postgres.Sql => typeof pool === 'function'

/** Statements beside what is tested. */
export interface Admin {
  readonly schema: string
  readonly run: (text: string, values?: unknown[]) => Promise<Record<string, unknown>[]>
  /** Ends the connections whose last or current statement matches. */
  readonly kill: (like: string) => Promise<number>
}

/** A schema's name for this file, removed with all in it afterwards. */
export function ownSchema(prefix: string): Admin {
  const schema = `hf_${prefix}_${randomBytes(4).toString('hex')}`
  const admin = new pg.Pool({ host: HOST, user: 'postgres', database: 'postgres', max: 2 })
  const run = async (text: string, values: unknown[] = []) => (await admin.query(text, values)).rows as Record<string, unknown>[]
  beforeAll(async () => void (await run('select 1')))
  afterAll(async () => {
    await run(`drop schema if exists "${schema}" cascade`)
    await admin.end()
  })
  return {
    schema,
    run,
    kill: async (like) =>
      (await run('select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and query like $1', [like])).length,
  }
}

export function clientFor(pooled: Pooled, options: Partial<PgClientOptions> = {}): PgClient {
  return clientOf('test', pooled.pool, {
    preparedStatements: true,
    connectMaxMs: 5_000,
    answerMaxMs: 30_000,
    clock: defaultClock,
    how: 'migrate',
    ...options,
  })
}

/** Resolves once the condition holds; rejects after some seconds. */
export async function until(what: string, holds: () => Promise<boolean> | boolean, maxMs = 10_000): Promise<void> {
  const endMs = Date.now() + maxMs
  while (!(await holds())) {
    if (Date.now() > endMs) throw new Error(`${what}: not within ${maxMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
