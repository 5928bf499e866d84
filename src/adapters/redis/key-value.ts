import pRetry from 'p-retry'
import type { KeyChange, KeyEntry, KeyFilter, KeyValue, PutOptions, PutVerdict } from '../../ports/key-value.ts'
import { ChangeFeed } from '../kv-shared/change-feed.ts'
import { checkDelete, checkIncrement, checkKey, checkKeyPage, checkPut, noNumber, refusedPrefix, sumTooLarge } from '../kv-shared/checks.ts'
import { aborted, notStarted } from '../storage-shared/refusals.ts'
import { ChangeLog, RETRY } from './change-log.ts'
import type { Link } from './link.ts'
import { type Kind, pageOf } from './pages.ts'
import { array, remainingOf, type Stored, storedOf, text, ttlOf } from './replies.ts'
import { get, hello, increment, put, remove } from './scripts.ts'

const VALUES: Kind = { kind: 'v', one: 'v', two: 'r' }
/** States that are read at once for a watch. */
const BATCH = 64

export class RedisKeyValue implements KeyValue {
  readonly #link: Link
  readonly #valueMaxBytes: number
  readonly #log: ChangeLog
  readonly #feeds = new Set<ChangeFeed>()
  /** Where changes are hinted at; null while it is not open. */
  #channel: string | null = null

  constructor(link: Link, valueMaxBytes: number) {
    this.#link = link
    this.#valueMaxBytes = valueMaxBytes
    this.#log = new ChangeLog(link)
  }

  async open(signal?: AbortSignal): Promise<void> {
    const [us, last, channel] = array(await this.#link.run(hello, [], { name: 'open', writes: false }, signal)).map(text)
    this.#log.read(Number(us), Number(last))
    this.#channel = channel as string
  }

  async get(key: string, signal?: AbortSignal): Promise<KeyEntry | undefined> {
    this.#check('get', signal)
    checkKey('get: key', key)
    return entryOf(storedOf(array(await this.#link.run(get, [key], { name: 'get', writes: false }, signal))[0]))
  }

  async put(key: string, value: string, options?: PutOptions): Promise<PutVerdict> {
    this.#check('put', options?.signal)
    checkPut(key, value, options, this.#valueMaxBytes)
    const { expect = 'any', ttlMs, signal } = options ?? {}
    const args = [key, value, expect === 'any' ? '' : String(expect), ttlOf(ttlMs)]
    const [ok, what] = array(await this.#link.run(put, args, { name: 'put', writes: true }, signal))
    if (text(ok) === '1') {
      const revision = Number(text(what))
      this.#log.wrote(revision)
      return { ok: true, revision }
    }
    const entry = entryOf(storedOf(what))
    return { ok: false, ...(entry !== undefined && { entry }) }
  }

  async increment(
    key: string,
    by: number,
    options?: { readonly ttlMs?: number; readonly signal?: AbortSignal },
  ): Promise<{ readonly value: number; readonly remainingMs?: number }> {
    this.#check('increment', options?.signal)
    checkIncrement(key, by, options?.ttlMs)
    const args = [key, String(by), ttlOf(options?.ttlMs)]
    const reply = array(await this.#link.run(increment, args, { name: 'increment', writes: true }, options?.signal)).map(text)
    if (reply[0] === 'number') throw noNumber(key)
    if (reply[0] === 'sum') throw sumTooLarge(key)
    const remainingMs = remainingOf(reply[2])
    return { value: Number(reply[1]), ...(remainingMs < Number.POSITIVE_INFINITY && { remainingMs }) }
  }

  async delete(key: string, options?: { readonly revision?: number; readonly signal?: AbortSignal }): Promise<boolean> {
    this.#check('delete', options?.signal)
    checkDelete(key, options?.revision)
    const args = [key, options?.revision === undefined ? '' : String(options.revision)]
    return text(await this.#link.run(remove, args, { name: 'delete', writes: true }, options?.signal)) === '1'
  }

  async list(filter?: KeyFilter): Promise<readonly KeyEntry[]> {
    this.#check('list', filter?.signal)
    const page = checkKeyPage(filter)
    return (await pageOf(this.#link, VALUES, page, filter?.signal)).map((each) => entryOf(each) as KeyEntry)
  }

  watch(prefix: string, signal?: AbortSignal): AsyncIterable<KeyChange> {
    const reading = new AbortController()
    const feed = new ChangeFeed(prefix, signal, {
      batch: BATCH,
      read: (keys) => pRetry(() => this.#read(keys, reading.signal), { ...RETRY, signal: reading.signal }),
      left: () => {
        reading.abort()
        this.#feeds.delete(feed)
        this.#log.leave(feed)
      },
    })
    const refused = this.#channel === null ? notStarted('redis') : refusedPrefix(prefix)
    if (refused !== undefined) feed.fail(refused)
    if (feed.over) return feed
    this.#feeds.add(feed)
    this.#log.join(feed, this.#channel as string)
    return feed
  }

  async close(): Promise<void> {
    this.#channel = null
    for (const feed of [...this.#feeds]) feed.fail(notStarted('redis'))
  }

  async #read(keys: readonly string[], signal: AbortSignal): Promise<(KeyEntry | undefined)[]> {
    const all = array(await this.#link.run(get, keys, { name: 'watch', writes: false }, signal))
    return keys.map((_, i) => entryOf(storedOf(all[i])))
  }

  #check(call: string, signal: AbortSignal | undefined): void {
    if (signal?.aborted) throw aborted(call, signal)
    if (this.#channel === null) throw notStarted('redis')
  }
}

function entryOf(stored: Stored | undefined): KeyEntry | undefined {
  if (stored === undefined) return undefined
  const { key, one, two, remainingMs } = stored
  return Object.freeze({ key, value: one, revision: Number(two), ...(remainingMs < Number.POSITIVE_INFINITY && { remainingMs }) })
}
