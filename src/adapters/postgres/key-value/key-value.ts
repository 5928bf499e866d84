import type { KeyChange, KeyEntry, KeyFilter, KeyValue, PutOptions, PutVerdict } from '../../../ports/key-value.ts'
import { ChangeFeed } from '../../kv-shared/change-feed.ts'
import { checkDelete, checkIncrement, checkKey, checkKeyPage, checkPut, refusedPrefix, sum } from '../../kv-shared/checks.ts'
import type { SqlRow, SqlText } from '../../sql-shared/runner.ts'
import { notStarted } from '../../storage-shared/refusals.ts'
import type { CallOptions, PgStatement } from '../client/client.ts'
import { escaped } from '../escapes.ts'
import { patiently } from '../patience.ts'
import { afterPrefix } from '../prefixes.ts'
import { PgPort, type PgSession } from '../session.ts'
import { arrayText } from '../statement.ts'
import { asEntry, type KeyQueries, keyQueries } from './queries.ts'
import { Watching } from './watching.ts'

const VALUE_MAX_BYTES = 1_048_576
/** Writes between two removals of what is long over. */
const PRUNED_EVERY = 1_000
/** Keys that a feed reads at once. */
const FEED_BATCH = 200

/** Watches of this process that have not begun: what is asked for after them has to come after them. */
const beginning = new Set<Promise<void>>()

/** Keys and values in one table. Each method but `watch` is one statement; a put that lost asks once more what stands there. */
export class PgKeyValue implements KeyValue {
  readonly #port: PgPort
  readonly #queries: KeyQueries
  readonly #watching: Watching
  readonly #feeds = new Set<ChangeFeed>()
  #writes = 0

  constructor(session: PgSession) {
    this.#port = new PgPort(session)
    this.#queries = keyQueries(session.names)
    this.#watching = new Watching(session, this.#queries)
  }

  open(signal?: AbortSignal): Promise<void> {
    return this.#port.open(signal)
  }

  async get(key: string, signal?: AbortSignal): Promise<KeyEntry | undefined> {
    this.#port.check('get', signal)
    checkKey('get: key', key)
    const [row] = await this.#ask(this.#queries.get, [escaped(key)], { call: 'get', writes: false, signal })
    return row === undefined ? undefined : asEntry(row)
  }

  async put(key: string, value: string, options?: PutOptions): Promise<PutVerdict> {
    const { expect = 'any', ttlMs, signal } = options ?? {}
    this.#port.check('put', signal)
    checkPut(key, value, options, VALUE_MAX_BYTES)
    const values = [escaped(key), escaped(value), ttlMs === undefined ? null : String(ttlMs)]
    const { putAny, putNone, putOver } = this.#queries
    const call = { call: 'put', writes: true, signal }
    const [row] =
      typeof expect === 'number'
        ? await this.#ask(putOver, [...values, String(expect)], call)
        : await this.#ask(expect === 'none' ? putNone : putAny, values, call)
    this.#tidy()
    if (row !== undefined) return { ok: true, revision: Number(row[0]) }
    const entry = await this.get(key, signal)
    return { ok: false, ...(entry !== undefined && { entry }) }
  }

  async increment(
    key: string,
    by: number,
    options?: { readonly ttlMs?: number; readonly signal?: AbortSignal },
  ): Promise<{ readonly value: number; readonly remainingMs?: number }> {
    const { ttlMs, signal } = options ?? {}
    this.#port.check('increment', signal)
    checkIncrement(key, by, ttlMs)
    const values = [escaped(key), String(by), ttlMs === undefined ? null : String(ttlMs)]
    for (;;) {
      const [row] = await this.#ask(this.#queries.increment, values, { call: 'increment', writes: true, signal })
      this.#tidy()
      if (row !== undefined)
        return { value: Number(row[0]), ...(typeof row[1] === 'string' && { remainingMs: Math.max(0, Number(row[1])) }) }
      // Refused: throws what for, unless it has changed meanwhile.
      sum(key, (await this.get(key, signal))?.value, by)
    }
  }

  async delete(key: string, options?: { readonly revision?: number; readonly signal?: AbortSignal }): Promise<boolean> {
    const { revision, signal } = options ?? {}
    this.#port.check('delete', signal)
    checkDelete(key, revision)
    const values = [escaped(key), revision === undefined ? null : String(revision)]
    const rows = await this.#ask(this.#queries.delete, values, { call: 'delete', writes: true, signal })
    this.#tidy()
    return rows.length > 0
  }

  async list(filter?: KeyFilter): Promise<readonly KeyEntry[]> {
    this.#port.check('list', filter?.signal)
    const { prefix, limit, after } = checkKeyPage(filter)
    const from = escaped(prefix)
    const values = [from, afterPrefix(from), after === undefined ? null : escaped(after), String(limit)]
    const rows = await this.#ask(this.#queries.list, values, { call: 'list', writes: false, signal: filter?.signal })
    return rows.map(asEntry).filter((entry) => entry !== undefined)
  }

  watch(prefix: string, signal?: AbortSignal): AsyncIterable<KeyChange> {
    const feed: ChangeFeed = new ChangeFeed(prefix, signal, {
      read: (keys) => this.#read(keys),
      batch: FEED_BATCH,
      left: () => {
        this.#feeds.delete(feed)
        this.#watching.leave(feed)
      },
    })
    const refused = this.#port.isOpen ? refusedPrefix(prefix) : notStarted('PostgreSQL')
    if (refused !== undefined) feed.fail(refused)
    if (feed.over) return feed
    this.#feeds.add(feed)
    const begun = this.#watching.begin(feed).finally(() => beginning.delete(begun))
    beginning.add(begun)
    return feed
  }

  async close(): Promise<void> {
    this.#port.close()
    for (const feed of [...this.#feeds]) feed.fail(notStarted('PostgreSQL'))
  }

  async #read(keys: readonly string[]): Promise<readonly (KeyEntry | undefined)[]> {
    const rows = await this.#ask(this.#queries.gets, [arrayText(keys.map(escaped))], { call: 'watch', writes: false })
    const entries = new Map(rows.map((row) => [asEntry(row)?.key, asEntry(row)]))
    return keys.map((key) => entries.get(key))
  }

  async #ask(query: PgStatement, values: readonly SqlText[], call: CallOptions): Promise<readonly SqlRow[]> {
    if (beginning.size > 0) await Promise.all(beginning)
    return await patiently(this.#port.session.clock, () => this.#port.query(query, values, call))
  }

  #tidy(): void {
    if (++this.#writes % PRUNED_EVERY !== 0) return
    this.#port.session.client.query(this.#queries.prune, [], { call: 'removing what is over', writes: true }).catch(() => {
      // Of no consequence: it is tried again after some more writes.
    })
  }
}
