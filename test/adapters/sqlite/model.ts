// The journal's promises once more, in the plainest way: what memory and SQLite are held against.
import type { SagaFilter, SagaHead, SagaRecord, SagaVerdict, SagaWrite } from '../../../src/ports/saga-journal.ts'

interface Saga {
  head: SagaHead
  records: SagaRecord[]
}
interface Lease {
  owner: string
  untilMs: number
  epoch: number
}

export class Model {
  nowMs = 0
  readonly sagas: Saga[] = []
  readonly leases: Lease[]

  constructor(shards: number) {
    this.leases = Array.from({ length: shards }, () => ({ owner: '', untilMs: 0, epoch: 0 }))
  }

  append(writes: readonly SagaWrite[]): SagaVerdict[] {
    return writes.map((write) => {
      const saga = this.sagas.find(({ head }) => head.id === write.id)
      if (write.create && saga) return { ok: false, reason: 'exists', head: saga.head }
      if (!write.create && !saga) return { ok: false, reason: 'conflict' }
      const shard = saga ? saga.head.shard : write.create?.shard
      const latest = this.leases[shard ?? -1]?.epoch
      const fits = write.fence ? write.fence.shard === shard && write.fence.epoch === latest && latest !== 0 : write.create !== undefined
      if (!fits) return { ok: false, reason: 'fenced' }
      let next = (saga?.head.seq ?? 0) + 1
      for (const { seq } of write.records) if (seq !== next++) return { ok: false, reason: 'conflict' }
      const [first, last] = [write.records[0], write.records.at(-1)]
      if (!first || !last) return { ok: false, reason: 'conflict' }
      const changed = { state: write.state, seq: last.seq, updatedEpochMs: last.atEpochMs }
      if (saga) {
        saga.head = { ...saga.head, ...changed }
        saga.records.push(...write.records)
      } else if (write.create) {
        const head = { id: write.id, ...write.create, startedEpochMs: first.atEpochMs, ...changed }
        this.sagas.push({ head, records: [...write.records] })
      }
      return { ok: true }
    })
  }

  claim(owner: string, shards: number, leaseMs: number) {
    return this.leases.slice(0, shards).flatMap((lease, shard) => {
      if (lease.owner !== '' && lease.owner !== owner && this.nowMs < lease.untilMs) return []
      if (lease.owner !== owner) lease.epoch++
      lease.owner = owner
      lease.untilMs = this.nowMs + leaseMs
      return [{ fence: { shard, epoch: lease.epoch }, leaseMs }]
    })
  }

  release(owner: string): void {
    for (const lease of this.leases) if (lease.owner === owner) lease.owner = ''
  }

  read = (id: string): SagaRecord[] => this.sagas.find(({ head }) => head.id === id)?.records ?? []

  list({ saga, states, shard, limit = 100, afterId }: SagaFilter): SagaHead[] {
    const bytes = (text: string) => Buffer.from(text)
    return this.sagas
      .map(({ head }) => head)
      .filter((head) => saga === undefined || head.saga === saga)
      .filter((head) => states === undefined || states.includes(head.state))
      .filter((head) => shard === undefined || head.shard === shard)
      .filter((head) => afterId === undefined || Buffer.compare(bytes(head.id), bytes(afterId)) > 0)
      .sort((a, b) => Buffer.compare(bytes(a.id), bytes(b.id)))
      .slice(0, limit)
  }
}
