import type { PlaceOptions, PostgresStorage } from '../adapters/postgres/index.ts'
import { readOptions } from './arguments.ts'
import { migrateHelp } from './help.ts'
import { type Target, targetOf } from './target.ts'
import { UsageError } from './usage.ts'

type Environment = Readonly<Record<string, string | undefined>>

const OPTIONS = {
  url: { type: 'string' },
  schema: { type: 'string' },
  prefix: { type: 'string' },
  print: { type: 'boolean' },
  check: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

/** What standard output is to say. Rejects with what standard error is to say. */
export async function migrate(args: readonly string[], env: Environment): Promise<string> {
  const { url, schema, prefix, print, check, help } = readOptions('migrate', args, OPTIONS)
  if (help) return migrateHelp
  const place = { ...(schema !== undefined && { schema }), ...(prefix !== undefined && { prefix }) }
  if (print) {
    const other = check ? '--check' : url !== undefined && '--url'
    if (other) throw new UsageError(`--print asks no database: leave ${other} away`)
    return await sqlOf(place)
  }
  const target = targetOf(url, env)
  if (target.kind === 'sqlite') return 'SQLite databases migrate themselves when sqliteStorage() opens them: nothing to do.\n'
  const where = placed(place, target)
  return await stored(target, place, check ? (storage) => looked(storage, where) : (storage) => applied(storage, where))
}

/** From its own file: the whole of the adapter takes twice as long to load. */
async function sqlOf(place: PlaceOptions): Promise<string> {
  const { migrationSql } = await import('../adapters/postgres/migrations/migration-sql.ts')
  return migrationSql(place)
}

async function stored(
  { url }: { readonly url?: string },
  place: PlaceOptions,
  work: (storage: PostgresStorage) => Promise<string>,
): Promise<string> {
  const drivers = await import('./drivers.ts')
  const { postgresStorage } = await import('../adapters/postgres/index.ts')
  const connection = await drivers.connect(url)
  try {
    // The driver is the one to say that there is no connection; behind a pooler nothing may be prepared.
    return await work(postgresStorage(connection.pool, { ...place, preparedStatements: false, connectMaxMs: 15_000 }))
  } finally {
    await connection.close()
  }
}

async function applied(storage: PostgresStorage, where: string): Promise<string> {
  const { from, to } = await storage.migrate()
  // Whether an application could use it now.
  await storage.open()
  return from === to ? upToDate(to, where) : `Migrated from version ${from} to ${to}: ${where}.\n`
}

async function looked(storage: PostgresStorage, where: string): Promise<string> {
  await storage.open()
  return upToDate((await storage.stats()).schemaVersion, where)
}

const upToDate = (version: number, where: string): string => `Up to date at version ${version}: ${where}.\n`

const placed = ({ schema = 'holdfast', prefix }: PlaceOptions, { shown }: Target & { readonly kind: 'postgres' }): string =>
  `schema ${JSON.stringify(schema)}${prefix === undefined ? '' : `, prefix ${JSON.stringify(prefix)}`}, ${shown}`
