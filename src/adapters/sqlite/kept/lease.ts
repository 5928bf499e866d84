import type { Lease, LeaseGrant } from '../../../ports/lease.ts'
import { checkKey, checkNamePage } from '../../kv-shared/checks.ts'
import { checkAcquire, checkGrant, checkRenew } from '../../kv-shared/lease-checks.ts'
import { asNumber, asText, type Row } from '../connection.ts'
import type { Session } from '../session.ts'
import { type KeptStatements, nextIn } from './statements.ts'

/** Names whose time is over that an acquire clears away. */
const TRIMMED = 2

type Asked = { readonly ttlMs: number; readonly signal?: AbortSignal }

interface Held {
  readonly name: string
  readonly owner: string
  readonly token: number
  readonly untilMs: number
}

/** Names held for a while. Their time is the host's wall clock; what is safe is the token, which is checked under the write lock. */
export class SqliteLease implements Lease {
  readonly #session: Session

  constructor(session: Session) {
    this.#session = session
  }

  open(signal?: AbortSignal): Promise<void> {
    return this.#session.open(signal)
  }

  async acquire(name: string, owner: string, options: Asked): Promise<LeaseGrant | undefined> {
    checkAcquire(name, owner, options?.ttlMs)
    return this.#write('acquire', options.signal, (kept, nowMs) => {
      const held = find(kept, name, nowMs)
      if (held !== undefined && held.owner !== owner) return undefined
      // One row of tokens for all names: what is forgotten of a name takes no token with it.
      const token = held?.token ?? nextIn(kept, 'token')
      const untilMs = nowMs + options.ttlMs
      kept.hold.run(name, owner, token, untilMs)
      kept.purgeNames.run(nowMs, TRIMMED)
      return grantOf({ name, owner, token, untilMs }, nowMs)
    })
  }

  async renew(grant: LeaseGrant, options: Asked): Promise<LeaseGrant | undefined> {
    checkRenew(grant, options?.ttlMs)
    return this.#write('renew', options.signal, (kept, nowMs) => {
      const held = findUnder(kept, grant, nowMs)
      if (held === undefined) return undefined
      const untilMs = nowMs + options.ttlMs
      kept.prolong.run(untilMs, held.name)
      return grantOf({ ...held, untilMs }, nowMs)
    })
  }

  async release(grant: LeaseGrant, signal?: AbortSignal): Promise<boolean> {
    checkGrant('release', grant)
    return this.#write('release', signal, (kept, nowMs) => {
      if (findUnder(kept, grant, nowMs) === undefined) return false
      kept.free.run(grant.name)
      return true
    })
  }

  async holder(name: string, signal?: AbortSignal): Promise<LeaseGrant | undefined> {
    checkKey('holder: name', name)
    const nowMs = this.#session.clock.epochMs()
    const held = await this.#session.read('holder', ({ kept }) => find(kept, name, nowMs), signal)
    return held === undefined ? undefined : grantOf(held, nowMs)
  }

  async list(filter?: Parameters<Lease['list']>[0]): Promise<readonly LeaseGrant[]> {
    const { prefix, limit, after = '' } = checkNamePage(filter)
    const nowMs = this.#session.clock.epochMs()
    const rows = await this.#session.read('list', ({ kept }) => kept.holders.all(prefix, after, nowMs, limit), filter?.signal)
    return rows
      .map(heldOf)
      .filter(({ name }) => name.startsWith(prefix))
      .map((held) => grantOf(held, nowMs))
  }

  close(): Promise<void> {
    return this.#session.close()
  }

  #write<T>(call: string, signal: AbortSignal | undefined, work: (kept: KeptStatements, nowMs: number) => T): Promise<T> {
    return this.#session.write(call, ({ kept }) => work(kept, this.#session.clock.epochMs()), signal)
  }
}

const heldOf = (row: Row): Held => ({
  name: asText(row.name),
  owner: asText(row.owner),
  token: asNumber(row.token),
  untilMs: asNumber(row.until_ms),
})

function find(kept: KeptStatements, name: string, nowMs: number): Held | undefined {
  const row = kept.holder.get(name)
  const held = row === undefined ? undefined : heldOf(row)
  return held !== undefined && held.untilMs > nowMs ? held : undefined
}

function findUnder(kept: KeptStatements, { name, owner, token }: LeaseGrant, nowMs: number): Held | undefined {
  const held = find(kept, name, nowMs)
  return held?.token === token && held.owner === owner ? held : undefined
}

const grantOf = ({ name, owner, token, untilMs }: Held, nowMs: number): LeaseGrant =>
  Object.freeze({ name, owner, token, remainingMs: untilMs - nowMs })
