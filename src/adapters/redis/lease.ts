import type { Lease, LeaseGrant } from '../../ports/lease.ts'
import { checkKey, checkNamePage } from '../kv-shared/checks.ts'
import { checkAcquire, checkGrant, checkRenew } from '../kv-shared/lease-checks.ts'
import { aborted, notStarted } from '../storage-shared/refusals.ts'
import type { Link } from './link.ts'
import { type Kind, pageOf } from './pages.ts'
import { type Stored, storedOf, text, ttlOf } from './replies.ts'
import { acquire, hello, holder, release, renew } from './scripts.ts'

type Asked = { readonly ttlMs: number; readonly signal?: AbortSignal }

const LEASES: Kind = { kind: 'l', one: 'o', two: 't' }

export class RedisLease implements Lease {
  readonly #link: Link
  #isOpen = false

  constructor(link: Link) {
    this.#link = link
  }

  async open(signal?: AbortSignal): Promise<void> {
    await this.#link.run(hello, [], { name: 'open', writes: false }, signal)
    this.#isOpen = true
  }

  async acquire(name: string, owner: string, options: Asked): Promise<LeaseGrant | undefined> {
    this.#check('acquire', options?.signal)
    checkAcquire(name, owner, options?.ttlMs)
    const { ttlMs, signal } = options
    const token = await this.#link.run(acquire, [name, owner, ttlOf(ttlMs)], { name: 'acquire', writes: true }, signal)
    return token === null ? undefined : Object.freeze({ name, owner, token: Number(text(token)), remainingMs: ttlMs })
  }

  async renew(grant: LeaseGrant, options: Asked): Promise<LeaseGrant | undefined> {
    this.#check('renew', options?.signal)
    checkRenew(grant, options?.ttlMs)
    const { name, owner, token } = grant
    const { ttlMs, signal } = options
    const renewed = await this.#link.run(renew, [name, owner, String(token), ttlOf(ttlMs)], { name: 'renew', writes: true }, signal)
    return renewed === null ? undefined : Object.freeze({ name, owner, token, remainingMs: ttlMs })
  }

  async release(grant: LeaseGrant, signal?: AbortSignal): Promise<boolean> {
    this.#check('release', signal)
    checkGrant('release', grant)
    const { name, owner, token } = grant
    return text(await this.#link.run(release, [name, owner, String(token)], { name: 'release', writes: true }, signal)) === '1'
  }

  async holder(name: string, signal?: AbortSignal): Promise<LeaseGrant | undefined> {
    this.#check('holder', signal)
    checkKey('holder: name', name)
    const stored = storedOf(await this.#link.run(holder, [name], { name: 'holder', writes: false }, signal))
    return stored && grantOf(stored)
  }

  async list(filter?: Parameters<Lease['list']>[0]): Promise<readonly LeaseGrant[]> {
    this.#check('list', filter?.signal)
    return (await pageOf(this.#link, LEASES, checkNamePage(filter), filter?.signal)).map(grantOf)
  }

  async close(): Promise<void> {
    this.#isOpen = false
  }

  #check(call: string, signal: AbortSignal | undefined): void {
    if (signal?.aborted) throw aborted(call, signal)
    if (!this.#isOpen) throw notStarted('redis')
  }
}

const grantOf = ({ key, one, two, remainingMs }: Stored): LeaseGrant =>
  Object.freeze({ name: key, owner: one, token: Number(two), remainingMs })
