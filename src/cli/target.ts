import { UsageError } from './usage.ts'

/** Which database is meant. */
export type Target =
  | { readonly kind: 'sqlite' }
  /** Without a URL the driver reads PGHOST and its kin. `shown`: host and database, never a user or a password. */
  | { readonly kind: 'postgres'; readonly url?: string; readonly shown: string }

type Environment = Readonly<Record<string, string | undefined>>

/**
 * `--url`, then DATABASE_URL, then PGHOST and its kin. Never nothing: a driver would take whatever listens on this machine.
 *
 * @throws {UsageError}
 */
export function targetOf(url: string | undefined, env: Environment): Target {
  if (url !== undefined) return targetAt('--url', url)
  if (env.DATABASE_URL) return targetAt('DATABASE_URL', env.DATABASE_URL)
  const { PGHOST, PGPORT, PGDATABASE, PGUSER } = env
  if (PGHOST || PGDATABASE) {
    return { kind: 'postgres', shown: `${PGHOST || 'localhost'}:${PGPORT || 5432}/${PGDATABASE || PGUSER || ''}` }
  }
  throw new UsageError('no database is named: give --url postgres://…, or set DATABASE_URL or PGHOST (--print needs none)')
}

const SQLITE = /^(?:sqlite3?:|file:|\.{1,2}[\\/]|:memory:$)|\.(?:db3?|sqlite3?)$/i
const PARTS = /^([a-z][a-z\d+.-]*):\/\/([^/?#]*)([^?#]*)([^#]*)(.*)$/is
/** Of several, as postgres.js takes them, each. */
const HOST = /^(?:\[[^\]]*\]|[^:[\]]*)(?::\d{1,5})?$/

function targetAt(source: string, given: string): Target {
  // Secrets that come out of files end with a line break.
  const url = given.trim()
  const [, scheme, authority = '', path = '', query = '', hash = ''] = PARTS.exec(url) ?? []
  const isPostgres = /^postgres(?:ql)?$/i.test(scheme ?? '')
  if (!isPostgres && SQLITE.test(url)) return { kind: 'sqlite' }
  if (!isPostgres)
    throw new UsageError(`${source} must begin with postgres://${scheme === undefined ? '' : `, got ${scheme.slice(0, 20)}://…`}`)
  const at = authority.lastIndexOf('@')
  // A password with a bare / ? or # ends the host before its time: parts of it would be looked up, and shown, as a host or a database.
  const endsEarly = hash !== '' || path.includes('@') || (at < 0 && query.includes('@'))
  if (endsEarly || !isEncoded(authority)) {
    throw new UsageError(
      `${source}: special characters in user and password must be percent-encoded (% as %25, / as %2F, ? as %3F, # as %23)`,
    )
  }
  const hosts = authority.slice(at + 1)
  if (!hosts.split(',').every((host) => HOST.test(host))) throw new UsageError(`${source}: behind the host must be a port, from 1 to 65535`)
  return { kind: 'postgres', url, shown: `${hosts || 'localhost'}${path}` }
}

function isEncoded(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}
