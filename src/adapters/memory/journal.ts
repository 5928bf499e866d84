import type { Clock } from '../../core/clock.ts'
import type { SagaClaim, SagaFilter, SagaHead, SagaJournal, SagaRecord, SagaVerdict, SagaWrite } from '../../ports/saga-journal.ts'
import { checkClaim, checkFilter, checkWrites } from '../journal-shared/checks.ts'
import { headAfter, judge } from '../journal-shared/judge.ts'
import { aborted, notStarted } from '../storage-shared/refusals.ts'
import { checkText } from '../storage-shared/texts.ts'
import { compareTexts } from './order.ts'
import type { MemoryStore } from './store.ts'

/** The reference: every method does its work in one step, so nothing comes between a check and its write. */
export class MemoryJournal implements SagaJournal {
  readonly #store: MemoryStore
  readonly #clock: Clock
  #isOpen = false

  constructor(store: MemoryStore, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  async open(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) throw aborted('open', signal)
    this.#isOpen = true
  }

  async append(writes: readonly SagaWrite[], signal?: AbortSignal): Promise<readonly SagaVerdict[]> {
    this.#check('append', signal)
    checkWrites(writes)
    return writes.map((write) => this.#write(write))
  }

  #write(write: SagaWrite): SagaVerdict {
    const kept = this.#store.sagas.get(write.id)
    const verdict = judge(write, kept?.head, (shard) => this.#store.leases.get(shard)?.epoch)
    if (verdict === 'exists') return { ok: false, reason: 'exists', head: kept?.head as SagaHead }
    if (verdict !== 'ok') return { ok: false, reason: verdict }
    const head = headAfter(write, kept?.head)
    const records = write.records.map(({ seq, kind, step, atEpochMs, data }) => Object.freeze({ seq, kind, step, atEpochMs, data }))
    if (kept === undefined) this.#store.sagas.set(write.id, { head, records })
    else {
      kept.records.push(...records)
      kept.head = head
    }
    return { ok: true }
  }

  async claim(
    owner: string,
    options: { readonly shards: number; readonly leaseMs: number; readonly signal?: AbortSignal },
  ): Promise<readonly SagaClaim[]> {
    this.#check('claim', options.signal)
    checkClaim(owner, options)
    const { shards, leaseMs } = options
    const nowMs = this.#clock.nowMs()
    const claims: SagaClaim[] = []
    for (let shard = 0; shard < shards; shard++) {
      const lease = this.#store.leases.get(shard) ?? { owner: null, untilMs: 0, epoch: 0 }
      if (lease.owner !== null && lease.owner !== owner && nowMs < lease.untilMs) continue
      if (lease.owner !== owner) lease.epoch += 1
      lease.owner = owner
      lease.untilMs = nowMs + leaseMs
      this.#store.leases.set(shard, lease)
      claims.push({ fence: { shard, epoch: lease.epoch }, leaseMs })
    }
    return claims
  }

  async release(owner: string, signal?: AbortSignal): Promise<void> {
    this.#check('release', signal)
    checkText('release: owner', owner)
    for (const lease of this.#store.leases.values()) if (lease.owner === owner) lease.owner = null
  }

  async head(id: string, signal?: AbortSignal): Promise<SagaHead | undefined> {
    this.#check('head', signal)
    checkText('head: id', id)
    return this.#store.sagas.get(id)?.head
  }

  async read(id: string, signal?: AbortSignal): Promise<readonly SagaRecord[]> {
    this.#check('read', signal)
    checkText('read: id', id)
    return this.#store.sagas.get(id)?.records.slice() ?? []
  }

  async list(filter: SagaFilter, signal?: AbortSignal): Promise<readonly SagaHead[]> {
    this.#check('list', signal)
    const { saga, states, shard, limit, afterId } = checkFilter(filter)
    const heads: SagaHead[] = []
    for (const { head } of this.#store.sagas.values()) {
      if (saga !== undefined && head.saga !== saga) continue
      if (states !== undefined && !states.includes(head.state)) continue
      if (shard !== undefined && head.shard !== shard) continue
      if (afterId !== undefined && compareTexts(head.id, afterId) <= 0) continue
      heads.push(head)
    }
    return heads.sort((a, b) => compareTexts(a.id, b.id)).slice(0, limit)
  }

  async close(): Promise<void> {
    this.#isOpen = false
  }

  #check(call: string, signal: AbortSignal | undefined): void {
    if (signal?.aborted) throw aborted(call, signal)
    if (!this.#isOpen) throw notStarted('memory')
  }
}
