import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { PgPool, PostgresJs } from '../adapters/postgres/index.ts'
import { HoldfastError } from '../core/errors.ts'
import { UsageError } from './usage.ts'

const CONNECT_MAX_MS = 10_000
const NAME = 'holdfast migrate'

/** One connection, made when it is first used. */
export interface Connection {
  readonly pool: PgPool | PostgresJs
  close(): Promise<void>
}

interface Pool extends PgPool {
  on(event: 'error', listener: () => void): unknown
  end(): Promise<void>
}
type PoolConstructor = new (options: Readonly<Record<string, unknown>>) => Pool
type Sql = PostgresJs & { end(options: { readonly timeout: number }): Promise<void> }
type MakeSql = (...given: unknown[]) => Sql

/**
 * By whichever driver is installed; without a URL each reads PGHOST and its kin.
 *
 * @throws {HoldfastError} `PACKAGE_MISSING` (effect none) where there is neither.
 */
export async function connect(url: string | undefined): Promise<Connection> {
  const pg = (await load('pg')) as { readonly Pool: PoolConstructor } | undefined
  if (pg !== undefined) return byPg(pg.Pool, url)
  const postgres = (await load('postgres')) as MakeSql | undefined
  if (postgres !== undefined) return byPostgresJs(postgres, url)
  throw new HoldfastError('PACKAGE_MISSING', 'no PostgreSQL driver is installed: npm install pg (or: npm install postgres)', {
    effect: 'none',
    retry: 'never',
    details: { install: 'npm install pg' },
  })
}

function byPg(Pool: PoolConstructor, url: string | undefined): Connection {
  const pool = new Pool({
    ...(url !== undefined && { connectionString: url }),
    max: 1,
    connectionTimeoutMillis: CONNECT_MAX_MS,
    fallback_application_name: NAME,
  })
  // What happens to a connection that nobody waits for is nobody's failure.
  pool.on('error', () => {})
  return { pool, close: () => pool.end() }
}

function byPostgresJs(postgres: MakeSql, url: string | undefined): Connection {
  // Notices would go to standard output.
  const options = { max: 1, connect_timeout: CONNECT_MAX_MS / 1_000, onnotice: () => {}, connection: { application_name: NAME } }
  try {
    const sql = url === undefined ? postgres(options) : postgres(url, options)
    return { pool: sql, close: () => sql.end({ timeout: 1 }) }
  } catch {
    throw new UsageError('the URL of the database cannot be read (are special characters in it percent-encoded?)')
  }
}

/** From where holdfast is installed, or else from the folder that the command runs in: `npx` may keep holdfast elsewhere. */
async function load(name: string): Promise<unknown> {
  try {
    return defaultOf(await import(name))
  } catch (error) {
    if (!isMissing(error, name)) throw error
  }
  let path: string
  try {
    path = createRequire(join(process.cwd(), 'package.json')).resolve(name)
  } catch {
    return undefined
  }
  return defaultOf(await import(pathToFileURL(path).href))
}

const defaultOf = (module: { readonly default?: unknown }): unknown => module.default ?? module

/** Whether this very package is not there: one that is there and lacks another of its own is broken, and says so itself. */
const isMissing = (error: unknown, name: string): boolean =>
  (error as NodeJS.ErrnoException | undefined)?.code === 'ERR_MODULE_NOT_FOUND' && String((error as Error).message).includes(`'${name}'`)
