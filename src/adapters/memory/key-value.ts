import type { Clock } from '../../core/clock.ts'
import type { KeyChange, KeyEntry, KeyFilter, KeyValue, PutOptions, PutVerdict } from '../../ports/key-value.ts'
import { ChangeFeed } from '../kv-shared/change-feed.ts'
import { checkDelete, checkIncrement, checkKey, checkKeyPage, checkPut, refusedPrefix, sum } from '../kv-shared/checks.ts'
import { aborted, notStarted } from '../storage-shared/refusals.ts'
import { KeyExpiry } from './key-expiry.ts'
import { compareTexts } from './order.ts'
import type { KeptValue, MemoryStore } from './store.ts'
import { Trimming } from './trimming.ts'

const VALUE_MAX_BYTES = 1_048_576

/** The reference: every method does its work in one step, so nothing comes between a comparison and its write. */
export class MemoryKeyValue implements KeyValue {
  readonly #store: MemoryStore
  readonly #clock: Clock
  readonly #trimming: Trimming<KeptValue>
  readonly #expiry: KeyExpiry
  readonly #feeds = new Set<ChangeFeed>()
  #isOpen = false

  constructor(store: MemoryStore, clock: Clock) {
    this.#store = store
    this.#clock = clock
    this.#trimming = new Trimming(store.values, (key) => this.#remove(key))
    this.#expiry = new KeyExpiry(clock, (nowMs) => this.#trimming.walk(nowMs))
  }

  async open(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) throw aborted('open', signal)
    this.#isOpen = true
  }

  async get(key: string, signal?: AbortSignal): Promise<KeyEntry | undefined> {
    this.#check('get', signal)
    checkKey('get: key', key)
    return this.#entry(key, this.#clock.nowMs())
  }

  async put(key: string, value: string, options?: PutOptions): Promise<PutVerdict> {
    this.#check('put', options?.signal)
    checkPut(key, value, options, VALUE_MAX_BYTES)
    const { expect = 'any', ttlMs } = options ?? {}
    const nowMs = this.#clock.nowMs()
    const found = this.#find(key, nowMs)
    if (expect !== 'any' && found?.revision !== (expect === 'none' ? undefined : expect)) {
      const entry = this.#entry(key, nowMs)
      return { ok: false, ...(entry !== undefined && { entry }) }
    }
    return { ok: true, revision: this.#write(key, value, ttlMs === undefined ? Number.POSITIVE_INFINITY : nowMs + ttlMs, nowMs) }
  }

  async increment(
    key: string,
    by: number,
    options?: { readonly ttlMs?: number; readonly signal?: AbortSignal },
  ): Promise<{ readonly value: number; readonly remainingMs?: number }> {
    this.#check('increment', options?.signal)
    checkIncrement(key, by, options?.ttlMs)
    const nowMs = this.#clock.nowMs()
    const found = this.#find(key, nowMs)
    const value = sum(key, found?.value, by)
    const untilMs = found?.untilMs ?? nowMs + (options?.ttlMs ?? Number.POSITIVE_INFINITY)
    this.#write(key, String(value), untilMs, nowMs)
    return { value, ...(untilMs < Number.POSITIVE_INFINITY && { remainingMs: untilMs - nowMs }) }
  }

  async delete(key: string, options?: { readonly revision?: number; readonly signal?: AbortSignal }): Promise<boolean> {
    this.#check('delete', options?.signal)
    checkDelete(key, options?.revision)
    const found = this.#find(key, this.#clock.nowMs())
    if (found === undefined || (options?.revision !== undefined && options.revision !== found.revision)) return false
    this.#remove(key)
    return true
  }

  async list(filter?: KeyFilter): Promise<readonly KeyEntry[]> {
    this.#check('list', filter?.signal)
    const { prefix, limit, after } = checkKeyPage(filter)
    const nowMs = this.#clock.nowMs()
    const keys: string[] = []
    for (const [key, { untilMs }] of this.#store.values) {
      if (untilMs <= nowMs || !key.startsWith(prefix)) continue
      if (after === undefined || compareTexts(key, after) > 0) keys.push(key)
    }
    keys.sort(compareTexts)
    return keys.slice(0, limit).map((key) => this.#entry(key, nowMs) as KeyEntry)
  }

  watch(prefix: string, signal?: AbortSignal): AsyncIterable<KeyChange> {
    const feed = new ChangeFeed(prefix, signal, {
      read: async (keys) => {
        const nowMs = this.#clock.nowMs()
        return keys.map((key) => this.#entry(key, nowMs))
      },
      left: () => {
        this.#feeds.delete(feed)
        this.#store.watchers.delete(watcher)
        if (this.#feeds.size === 0) this.#expiry.rest()
      },
    })
    const watcher = {
      changed: (key: string, untilMs: number | undefined) => {
        feed.changed(key)
        if (untilMs !== undefined && key.startsWith(prefix)) this.#expiry.expect(untilMs)
      },
    }
    const refused = this.#isOpen ? refusedPrefix(prefix) : notStarted('memory')
    if (refused !== undefined) feed.fail(refused)
    if (feed.over) return feed
    // First, so that what was over before is no news.
    const nextMs = this.#trimming.walk(this.#clock.nowMs())
    this.#store.watchers.add(watcher)
    this.#feeds.add(feed)
    this.#expiry.expect(nextMs)
    return feed
  }

  async close(): Promise<void> {
    this.#isOpen = false
    for (const feed of [...this.#feeds]) feed.fail(notStarted('memory'))
  }

  /** What is there; what is over goes on the way. */
  #find(key: string, nowMs: number): KeptValue | undefined {
    const kept = this.#store.values.get(key)
    if (kept === undefined || kept.untilMs > nowMs) return kept
    this.#remove(key)
    return undefined
  }

  #entry(key: string, nowMs: number): KeyEntry | undefined {
    const kept = this.#find(key, nowMs)
    if (kept === undefined) return undefined
    const { value, revision, untilMs } = kept
    return Object.freeze({ key, value, revision, ...(untilMs < Number.POSITIVE_INFINITY && { remainingMs: untilMs - nowMs }) })
  }

  #write(key: string, value: string, untilMs: number, nowMs: number): number {
    const revision = ++this.#store.revision
    this.#store.values.set(key, { value, revision, untilMs })
    this.#tell(key, untilMs)
    this.#trimming.grew(nowMs)
    return revision
  }

  #remove(key: string): void {
    this.#store.values.delete(key)
    this.#tell(key, undefined)
  }

  #tell(key: string, untilMs: number | undefined): void {
    for (const watcher of this.#store.watchers) watcher.changed(key, untilMs)
  }

  #check(call: string, signal: AbortSignal | undefined): void {
    if (signal?.aborted) throw aborted(call, signal)
    if (!this.#isOpen) throw notStarted('memory')
  }
}
