import { randomBytes } from 'node:crypto'
import { memoryStorage, memoryStore, memoryTransactions } from '../../../src/adapters/memory/index.ts'
import { keyValueKeys, type ShreddingOptions, shredding } from '../../../src/cqrs/index.ts'
import type { AppendRequest } from '../../../src/ports/event-store.ts'
import type { KeyEntry, KeyValue, PutOptions, PutVerdict } from '../../../src/ports/key-value.ts'
import { testClock } from '../../../src/testing/test-clock.ts'

/** As much of a `KeyValue` as keys need, with a hand on its reads. */
export class Cabinet implements Pick<KeyValue, 'get' | 'put' | 'list'> {
  readonly entries = new Map<string, KeyEntry>()
  reads = 0
  failing: Error | undefined
  /** Every read waits for it. */
  gate: Promise<void> = Promise.resolve()
  #revision = 0

  async get(key: string): Promise<KeyEntry | undefined> {
    this.reads += 1
    const entry = this.entries.get(key)
    await this.gate
    if (this.failing !== undefined) throw this.failing
    return entry
  }

  async put(key: string, value: string, { expect = 'any' }: PutOptions = {}): Promise<PutVerdict> {
    const entry = this.entries.get(key)
    const fits = expect === 'any' || (expect === 'none' ? entry === undefined : entry?.revision === expect)
    if (!fits) return entry === undefined ? { ok: false } : { ok: false, entry }
    const revision = ++this.#revision
    this.entries.set(key, { key, value, revision })
    return { ok: true, revision }
  }

  async list({ prefix = '', limit = 100, afterKey = '' }: { prefix?: string; limit?: number; afterKey?: string } = {}) {
    const keys = [...this.entries.keys()].filter((key) => key.startsWith(prefix) && key > afterKey).sort()
    return keys.slice(0, limit).map((key) => this.entries.get(key) as KeyEntry)
  }

  /** Writes over what is stored. */
  change(key: string, value: string): void {
    this.entries.set(key, { key, value, revision: ++this.#revision })
  }
}

export const master = (id = 'm1') => ({ id, key: randomBytes(32) })

/** Several processes over one log and one store of keys. */
export function world(options: Partial<ShreddingOptions> = {}) {
  const clock = testClock()
  const store = memoryStore()
  const cabinet = new Cabinet()
  const masterKey = master()
  const keys = (change: object = {}) => keyValueKeys(cabinet as unknown as KeyValue, { masterKey, ...change })
  const plain = () => memoryStorage({ clock, store }).eventStore
  return {
    clock,
    store,
    cabinet,
    masterKey,
    keys,
    plain,
    transactions: memoryTransactions(store),
    events: () => shredding(plain(), { keys: keys(), clock, ...options }),
  }
}

/** One event about somebody. */
export const about = (subject: string, data: unknown, change: Partial<AppendRequest> = {}, stream = `s-${subject}`): AppendRequest => ({
  writes: [{ stream, expect: 'any', events: [{ type: 'moved', data, metadata: { subject } }] }],
  ...change,
})
