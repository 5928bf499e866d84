import type { KeyChange, KeyEntry, KeyFilter, KeyValue, PutOptions, PutVerdict } from '../../../ports/key-value.ts'
import { checkDelete, checkIncrement, checkKey, checkKeyPage, checkPut, sum } from '../../kv-shared/checks.ts'
import type { Session } from '../session.ts'
import { KeyWatch } from './key-watch.ts'
import type { KeptStatements } from './statements.ts'
import { drop, entryOf, find, type KeptValue, keptValue, put, trim } from './values.ts'

const VALUE_MAX_BYTES = 1_048_576

/** Keys and values on one SQLite database. Each call is one transaction. */
export class SqliteKeyValue implements KeyValue {
  readonly #session: Session
  readonly #watch: KeyWatch

  constructor(session: Session) {
    this.#session = session
    this.#watch = new KeyWatch(session)
  }

  open(signal?: AbortSignal): Promise<void> {
    return this.#session.open(signal)
  }

  async get(key: string, signal?: AbortSignal): Promise<KeyEntry | undefined> {
    checkKey('get: key', key)
    return this.#session.read('get', ({ kept }) => shown(find(kept, key, this.#nowMs()), this.#nowMs()), signal)
  }

  async put(key: string, value: string, options?: PutOptions): Promise<PutVerdict> {
    checkPut(key, value, options, VALUE_MAX_BYTES)
    const { expect = 'any', ttlMs, signal } = options ?? {}
    return this.#write('put', signal, (kept, nowMs): PutVerdict => {
      const found = find(kept, key, nowMs)
      if (expect !== 'any' && found?.revision !== (expect === 'none' ? undefined : expect)) {
        const entry = shown(found, nowMs)
        return { ok: false, ...(entry !== undefined && { entry }) }
      }
      return { ok: true, revision: put(kept, key, value, ttlMs === undefined ? null : nowMs + ttlMs) }
    })
  }

  async increment(
    key: string,
    by: number,
    options?: { readonly ttlMs?: number; readonly signal?: AbortSignal },
  ): Promise<{ readonly value: number; readonly remainingMs?: number }> {
    checkIncrement(key, by, options?.ttlMs)
    const { ttlMs, signal } = options ?? {}
    return this.#write('increment', signal, (kept, nowMs) => {
      const found = find(kept, key, nowMs)
      const value = sum(key, found?.value, by)
      const untilMs = found === undefined ? (ttlMs === undefined ? null : nowMs + ttlMs) : found.untilMs
      put(kept, key, String(value), untilMs)
      return { value, ...(untilMs !== null && { remainingMs: untilMs - nowMs }) }
    })
  }

  async delete(key: string, options?: { readonly revision?: number; readonly signal?: AbortSignal }): Promise<boolean> {
    checkDelete(key, options?.revision)
    return this.#write('delete', options?.signal, (kept, nowMs) => {
      const found = find(kept, key, nowMs)
      if (found === undefined || (options?.revision !== undefined && options.revision !== found.revision)) return false
      drop(kept, key, nowMs)
      return true
    })
  }

  async list(filter?: KeyFilter): Promise<readonly KeyEntry[]> {
    const { prefix, limit, after = '' } = checkKeyPage(filter)
    const nowMs = this.#nowMs()
    const rows = await this.#session.read('list', ({ kept }) => kept.values.all(prefix, after, nowMs, limit), filter?.signal)
    // They stand in the order of their bytes: those of the prefix come first.
    return rows.map((row) => entryOf(keptValue(row), nowMs)).filter(({ key }) => key.startsWith(prefix))
  }

  watch(prefix: string, signal?: AbortSignal): AsyncIterable<KeyChange> {
    return this.#watch.feed(prefix, signal)
  }

  close(): Promise<void> {
    return this.#session.close()
  }

  async #write<T>(call: string, signal: AbortSignal | undefined, work: (kept: KeptStatements, nowMs: number) => T): Promise<T> {
    const nowMs = () => this.#nowMs()
    const answer = await this.#session.write(
      call,
      ({ kept }) => {
        const value = work(kept, nowMs())
        trim(kept, nowMs())
        return value
      },
      signal,
    )
    this.#session.changes.ring()
    return answer
  }

  #nowMs(): number {
    return this.#session.clock.epochMs()
  }
}

const shown = (found: KeptValue | undefined, nowMs: number): KeyEntry | undefined =>
  found === undefined ? undefined : entryOf(found, nowMs)
