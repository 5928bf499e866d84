import type { Lease, LeaseGrant } from '../../ports/lease.ts'
import { checkKey, checkNamePage } from '../kv-shared/checks.ts'
import { checkAcquire, checkGrant, checkRenew } from '../kv-shared/lease-checks.ts'
import type { SqlRow, SqlText } from '../sql-shared/runner.ts'
import type { CallOptions, PgStatement } from './client/client.ts'
import { escaped, unescaped } from './escapes.ts'
import { literal, type Names } from './names.ts'
import { patiently } from './patience.ts'
import { afterPrefix } from './prefixes.ts'
import { PgPort, type PgSession } from './session.ts'
import { statement } from './statement.ts'

type Asked = { readonly ttlMs: number; readonly signal?: AbortSignal }

const PRUNED_EVERY = 1_000

/**
 * A free name keeps its row for a day. Tokens are drawn from a sequence while the row is held, so that each is above all that the row ever had, and
 * a row that is gone takes none with it.
 */
const leaseQueries = ({ of }: Names) => {
  const table = of('lease')
  const next = `nextval(${literal(of('revision'))}::regclass)`
  const until = (parameter: string) => `clock_timestamp() + ${parameter}::text::float8 * interval '1 millisecond'`
  const grant = `name, owner, token::text, (extract(epoch from until - clock_timestamp()) * 1000)::float8::text`
  const held = 'name = $1::text and owner = $2::text and token = $3::text::bigint and until > clock_timestamp()'
  return {
    acquire: statement(`insert into ${table} as l (name, owner, token, until) values ($1::text, $2::text, ${next}, ${until('$3')})
      on conflict (name) do update set owner = excluded.owner, until = ${until('$3')},
        token = case when l.owner = excluded.owner and l.until > clock_timestamp() then l.token else ${next} end
      where l.owner is null or l.owner = excluded.owner or l.until <= clock_timestamp()
      returning token::text`),
    renew: statement(`update ${table} set until = ${until('$4')} where ${held} returning '1'`),
    release: statement(`update ${table} set owner = null, until = clock_timestamp() where ${held} returning '1'`),
    holder: statement(`select ${grant} from ${table} where name = $1::text and owner is not null and until > clock_timestamp()`),
    list: statement(`select ${grant} from ${table} where name >= $1::text and ($2::text is null or name < $2::text)
      and ($3::text is null or name > $3::text) and owner is not null and until > clock_timestamp() order by name limit $4::text::bigint`),
    prune: statement(`delete from ${table} where name in (
      select name from ${table} where until < clock_timestamp() - interval '1 day' limit 1000 for update skip locked
    ) and until < clock_timestamp() - interval '1 day'`),
  }
}

export class PgLease implements Lease {
  readonly #port: PgPort
  readonly #queries
  #acquired = 0

  constructor(session: PgSession) {
    this.#port = new PgPort(session)
    this.#queries = leaseQueries(session.names)
  }

  open(signal?: AbortSignal): Promise<void> {
    return this.#port.open(signal)
  }

  async acquire(name: string, owner: string, options: Asked): Promise<LeaseGrant | undefined> {
    this.#port.check('acquire', options?.signal)
    checkAcquire(name, owner, options?.ttlMs)
    const { ttlMs, signal } = options
    const values = [escaped(name), escaped(owner), String(ttlMs)]
    const [row] = await this.#ask(this.#queries.acquire, values, { call: 'acquire', writes: true, signal })
    this.#tidy()
    return row === undefined ? undefined : Object.freeze({ name, owner, token: Number(row[0]), remainingMs: ttlMs })
  }

  async renew(grant: LeaseGrant, options: Asked): Promise<LeaseGrant | undefined> {
    this.#port.check('renew', options?.signal)
    checkRenew(grant, options?.ttlMs)
    const { ttlMs, signal } = options
    const { name, owner, token } = grant
    const values = [escaped(name), escaped(owner), String(token), String(ttlMs)]
    const rows = await this.#ask(this.#queries.renew, values, { call: 'renew', writes: true, signal })
    return rows.length === 0 ? undefined : Object.freeze({ name, owner, token, remainingMs: ttlMs })
  }

  async release(grant: LeaseGrant, signal?: AbortSignal): Promise<boolean> {
    this.#port.check('release', signal)
    checkGrant('release', grant)
    const values = [escaped(grant.name), escaped(grant.owner), String(grant.token)]
    return (await this.#ask(this.#queries.release, values, { call: 'release', writes: true, signal })).length > 0
  }

  async holder(name: string, signal?: AbortSignal): Promise<LeaseGrant | undefined> {
    this.#port.check('holder', signal)
    checkKey('holder: name', name)
    const [row] = await this.#ask(this.#queries.holder, [escaped(name)], { call: 'holder', writes: false, signal })
    return row === undefined ? undefined : asGrant(row)
  }

  async list(filter?: Parameters<Lease['list']>[0]): Promise<readonly LeaseGrant[]> {
    this.#port.check('list', filter?.signal)
    const { prefix, limit, after } = checkNamePage(filter)
    const from = escaped(prefix)
    const values = [from, afterPrefix(from), after === undefined ? null : escaped(after), String(limit)]
    const rows = await this.#ask(this.#queries.list, values, { call: 'list', writes: false, signal: filter?.signal })
    return rows.map(asGrant).filter((grant) => grant !== undefined)
  }

  async close(): Promise<void> {
    this.#port.close()
  }

  #ask(query: PgStatement, values: readonly SqlText[], call: CallOptions): Promise<readonly SqlRow[]> {
    return patiently(this.#port.session.clock, () => this.#port.query(query, values, call))
  }

  #tidy(): void {
    if (++this.#acquired % PRUNED_EVERY !== 0) return
    this.#port.session.client.query(this.#queries.prune, [], { call: 'removing free names', writes: true }).catch(() => {
      // Of no consequence: it is tried again after some more.
    })
  }
}

/** Undefined where its time ended between being found and being read. */
function asGrant([name, owner, token, remainingMs]: SqlRow): LeaseGrant | undefined {
  if (Number(remainingMs) <= 0) return undefined
  return Object.freeze({
    name: unescaped(name ?? ''),
    owner: unescaped(owner ?? ''),
    token: Number(token),
    remainingMs: Number(remainingMs),
  })
}
