import { refusal } from '../../core/errors.ts'
import { uuidv7 } from '../../core/ids.ts'
import type { DeadFilter, DeadReason, DeadRecord, DeadStore, GroupAddress, TransportMessage } from '../../ports/transport.ts'
import type { MemoryGroup } from './transport-group.ts'

export interface DeadHost {
  /** Throws while the transport is not open. */
  check(): void
  groupAt(address: GroupAddress): MemoryGroup | undefined
  room(group: MemoryGroup): number
}

/** The dead letters of a memory transport. */
export class MemoryDead implements DeadStore {
  dropped = 0
  readonly #max: number
  readonly #host: DeadHost
  /** By id, oldest first. */
  readonly #records = new Map<string, DeadRecord>()

  constructor(max: number, host: DeadHost) {
    this.#max = max
    this.#host = host
  }

  get size(): number {
    return this.#records.size
  }

  bury(address: GroupAddress, message: TransportMessage, reason: DeadReason, diedEpochMs: number): void {
    if (this.#records.size >= this.#max) {
      for (const oldest of this.#records.keys()) if (this.#records.delete(oldest)) break
      this.dropped += 1
    }
    const id = uuidv7(diedEpochMs)
    this.#records.set(id, Object.freeze({ id, ...address, message, reason: Object.freeze({ ...reason }), diedEpochMs }))
  }

  async list({ name, group, limit, afterId }: DeadFilter): Promise<readonly DeadRecord[]> {
    this.#host.check()
    const found: DeadRecord[] = []
    for (const record of this.#records.values()) {
      if (found.length >= limit) break
      if (name !== undefined && record.name !== name) continue
      if (group !== undefined && record.group !== group) continue
      if (afterId !== undefined && record.id <= afterId) continue
      found.push(record)
    }
    return found
  }

  async replay(ids: readonly string[]): Promise<number> {
    this.#host.check()
    const chosen = this.#chosen(ids)
    const wanted = new Map<MemoryGroup, DeadRecord[]>()
    for (const record of chosen) {
      const group = this.#host.groupAt(record)
      if (group === undefined) continue
      const records = wanted.get(group)
      if (records === undefined) wanted.set(group, [record])
      else records.push(record)
    }
    for (const [group, records] of wanted)
      if (records.length > this.#host.room(group))
        throw refusal('QUEUE_FULL', `replay: ${group.address.name}: ${group.address.group} has no room for ${records.length} messages`)
    for (const [group, records] of wanted) for (const record of records) group.add(record.message)
    for (const record of chosen) this.#records.delete(record.id)
    return chosen.length
  }

  async delete(ids: readonly string[]): Promise<number> {
    this.#host.check()
    return ids.filter((id) => this.#records.delete(id)).length
  }

  /** In the order in which they died, each once. */
  #chosen(ids: readonly string[]): DeadRecord[] {
    const records = [...new Set(ids)].map((id) => this.#records.get(id)).filter((record) => record !== undefined)
    return records.sort((a, b) => (a.id < b.id ? -1 : 1))
  }
}
