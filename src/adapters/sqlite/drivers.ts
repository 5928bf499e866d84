import { createRequire } from 'node:module'
import { join } from 'node:path'
import { HoldfastError } from '../../core/errors.ts'
import type { Open, OwnHandle } from './slice.ts'

/** In the order in which they are looked for. */
export const DRIVERS = ['libsql', 'better-sqlite3', 'node:sqlite'] as const
export type SqliteDriver = (typeof DRIVERS)[number]

type Constructor = new (path: string) => OwnHandle

const INSTALL: Readonly<Record<SqliteDriver, string>> = {
  libsql: 'npm install libsql',
  'better-sqlite3': 'npm install better-sqlite3',
  'node:sqlite': 'run on Node 22.13 or newer',
}

/**
 * Loads the first driver that is there and works.
 *
 * @throws {HoldfastError} `PACKAGE_MISSING` (effect none, retry never) naming the command that installs one.
 */
export async function loadDriver(wanted: SqliteDriver | undefined): Promise<Open> {
  const reasons: string[] = []
  for (const driver of wanted === undefined ? DRIVERS : [wanted]) {
    try {
      const Database = constructorOf(driver, await load(driver))
      // A package whose binary does not fit this Node says so here, not in the middle of an order.
      new Database(':memory:').close()
      return (path) => new Database(path)
    } catch (error) {
      reasons.push(`${driver}: ${reasonOf(error)}`)
    }
  }
  const remedy = INSTALL[wanted ?? 'libsql']
  throw new HoldfastError('PACKAGE_MISSING', `sqliteStorage found no driver it can load; ${remedy} (${reasons.join('; ')})`, {
    effect: 'none',
    retry: 'never',
    details: { install: remedy, reasons },
  })
}

/** By `import()`; by `require` from the application where a host (Jest without ES modules) has no dynamic import. */
async function load(driver: SqliteDriver): Promise<unknown> {
  const name: string = driver
  try {
    return await import(/* @vite-ignore */ name)
  } catch (error) {
    try {
      return createRequire(join(process.cwd(), 'package.json'))(name)
    } catch {
      throw error
    }
  }
}

function constructorOf(driver: SqliteDriver, module: unknown): Constructor {
  const loaded = module as { default?: unknown; DatabaseSync?: unknown }
  const Database = driver === 'node:sqlite' ? loaded.DatabaseSync : (loaded.default ?? module)
  if (typeof Database !== 'function') throw new Error('it exports no database class')
  return Database as Constructor
}

const MISSING = new Set(['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND', 'ERR_UNKNOWN_BUILTIN_MODULE'])

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return MISSING.has((error as NodeJS.ErrnoException).code ?? '') ? 'not there' : (error.message.split('\n')[0] ?? error.name)
}
