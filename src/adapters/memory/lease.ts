import type { Clock } from '../../core/clock.ts'
import type { Lease, LeaseGrant } from '../../ports/lease.ts'
import { checkKey, checkNamePage } from '../kv-shared/checks.ts'
import { checkAcquire, checkGrant, checkRenew } from '../kv-shared/lease-checks.ts'
import { aborted, notStarted } from '../storage-shared/refusals.ts'
import { compareTexts } from './order.ts'
import type { KeptName, MemoryStore } from './store.ts'
import { Trimming } from './trimming.ts'

type Asked = { readonly ttlMs: number; readonly signal?: AbortSignal }

/** The reference: every method does its work in one step. */
export class MemoryLease implements Lease {
  readonly #store: MemoryStore
  readonly #clock: Clock
  readonly #trimming: Trimming<KeptName>
  #isOpen = false

  constructor(store: MemoryStore, clock: Clock) {
    this.#store = store
    this.#clock = clock
    this.#trimming = new Trimming(store.names, (name) => void store.names.delete(name))
  }

  async open(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) throw aborted('open', signal)
    this.#isOpen = true
  }

  async acquire(name: string, owner: string, options: Asked): Promise<LeaseGrant | undefined> {
    this.#check('acquire', options?.signal)
    checkAcquire(name, owner, options?.ttlMs)
    const nowMs = this.#clock.nowMs()
    const held = this.#find(name, nowMs)
    if (held !== undefined && held.owner !== owner) return undefined
    // One row of tokens for all names: what is forgotten of a name takes no token with it.
    const kept = { owner, token: held?.token ?? ++this.#store.token, untilMs: nowMs + options.ttlMs }
    this.#store.names.set(name, kept)
    this.#trimming.grew(nowMs)
    return grantOf(name, kept, nowMs)
  }

  async renew(grant: LeaseGrant, options: Asked): Promise<LeaseGrant | undefined> {
    this.#check('renew', options?.signal)
    checkRenew(grant, options?.ttlMs)
    const nowMs = this.#clock.nowMs()
    const held = this.#heldUnder(grant, nowMs)
    if (held === undefined) return undefined
    held.untilMs = nowMs + options.ttlMs
    return grantOf(grant.name, held, nowMs)
  }

  async release(grant: LeaseGrant, signal?: AbortSignal): Promise<boolean> {
    this.#check('release', signal)
    checkGrant('release', grant)
    return this.#heldUnder(grant, this.#clock.nowMs()) !== undefined && this.#store.names.delete(grant.name)
  }

  async holder(name: string, signal?: AbortSignal): Promise<LeaseGrant | undefined> {
    this.#check('holder', signal)
    checkKey('holder: name', name)
    const nowMs = this.#clock.nowMs()
    const held = this.#find(name, nowMs)
    return held === undefined ? undefined : grantOf(name, held, nowMs)
  }

  async list(filter?: Parameters<Lease['list']>[0]): Promise<readonly LeaseGrant[]> {
    this.#check('list', filter?.signal)
    const { prefix, limit, after } = checkNamePage(filter)
    const nowMs = this.#clock.nowMs()
    const held: [string, KeptName][] = []
    for (const [name, kept] of this.#store.names) {
      if (kept.untilMs <= nowMs || !name.startsWith(prefix)) continue
      if (after === undefined || compareTexts(name, after) > 0) held.push([name, kept])
    }
    held.sort(([a], [b]) => compareTexts(a, b))
    return held.slice(0, limit).map(([name, kept]) => grantOf(name, kept, nowMs))
  }

  async close(): Promise<void> {
    this.#isOpen = false
  }

  #find(name: string, nowMs: number): KeptName | undefined {
    const kept = this.#store.names.get(name)
    return kept !== undefined && kept.untilMs > nowMs ? kept : undefined
  }

  #heldUnder(grant: LeaseGrant, nowMs: number): KeptName | undefined {
    const held = this.#find(grant.name, nowMs)
    return held?.token === grant.token && held.owner === grant.owner ? held : undefined
  }

  #check(call: string, signal: AbortSignal | undefined): void {
    if (signal?.aborted) throw aborted(call, signal)
    if (!this.#isOpen) throw notStarted('memory')
  }
}

const grantOf = (name: string, { owner, token, untilMs }: KeptName, nowMs: number): LeaseGrant =>
  Object.freeze({ name, owner, token, remainingMs: untilMs - nowMs })
