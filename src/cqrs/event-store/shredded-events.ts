import { HoldfastError } from '../../core/errors.ts'
import { show } from '../../core/options.ts'
import type {
  AppendOptions,
  AppendRequest,
  AppendRequests,
  AppendVerdict,
  AppendVerdicts,
  EventStore,
  EventStoreStats,
  JoinedEvents,
  LogBatch,
  LogHead,
  LogRead,
  StoredEvent,
  StreamRead,
} from '../../ports/event-store.ts'
import { type Draft, settled } from './draft.ts'
import { appendPrepared, type Prepared } from './prepared.ts'
import type { Sealer } from './sealer.ts'
import { type KeyCache, nameOf } from './subject-keys.ts'
import { tenantOf } from './tenant-events.ts'
import { Turns } from './turns.ts'

export interface ShreddedEventStore extends EventStore {
  /**
   * Destroys the key of a subject: its data cannot be read any more, and no event about it is taken again.
   *
   * This process obeys from the moment it resolves; others for at most `cacheTtlMs` longer: until then they read, and may still append, what
   * afterwards nobody can read.
   */
  forget(subject: string, signal?: AbortSignal): Promise<void>
}

type Drafted = Draft | { readonly answer: AppendVerdict }

export class ShreddedEvents implements ShreddedEventStore {
  readonly #store: EventStore
  readonly #sealer: Sealer
  readonly #keys: KeyCache
  readonly #turns = new Turns()

  constructor(store: EventStore, sealer: Sealer, keys: KeyCache) {
    this.#store = store
    this.#sealer = sealer
    this.#keys = keys
  }

  open(signal?: AbortSignal): Promise<void> {
    return this.#store.open(signal)
  }

  append<Each extends readonly unknown[] | []>(requests: AppendRequests<Each>, options?: AppendOptions): Promise<AppendVerdicts<Each>>
  async append(requests: readonly AppendRequest[], options?: AppendOptions): Promise<readonly AppendVerdict[]> {
    // What is no list the store itself refuses.
    if (!Array.isArray(requests)) return await this.#store.append(requests, options)
    // A key may have to be fetched: who shares a stream, a tag or a key with an earlier call does not overtake it meanwhile.
    const { turn, done } = this.#turns.take(requests.flatMap(namesOf))
    let answers: Promise<readonly AppendVerdict[]>
    try {
      const drafts = requests.map((request) => this.#draft(request))
      const waits = turn !== undefined || drafts.some((draft) => 'secrets' in draft && draft.secrets.size > 0)
      const prepared = waits ? await this.#prepared(drafts.map(settledOr), options?.signal) : drafts.map(passed)
      if (turn !== undefined) await turn
      answers = appendPrepared(this.#store, prepared, options)
    } finally {
      done()
    }
    return await Promise.all((await answers).map((verdict) => this.#opened(verdict, options?.signal)))
  }

  #draft(request: AppendRequest): Drafted {
    return answering(() => this.#sealer.draft(request, tenantOf(this.#store)))
  }

  async #prepared(drafts: readonly Drafted[], signal: AbortSignal | undefined): Promise<Prepared[]> {
    const prepared: Prepared[] = []
    for (const draft of drafts) prepared.push('answer' in draft ? draft : await this.#sealer.sealed(draft, signal))
    return prepared
  }

  join(tx: unknown): JoinedEvents {
    const joined = this.#store.join(tx)
    return {
      append: async (request, options) => {
        const [prepared] = await this.#prepared([settledOr(this.#draft(request))], options?.signal)
        if (prepared === undefined || 'answer' in prepared) return prepared?.answer as AppendVerdict
        return await this.#opened(await joined.append(prepared.pass, options), options?.signal)
      },
    }
  }

  /** A conflict with what was missed decrypted; certainly nothing was written, so `none` where that cannot be. */
  async #opened(verdict: AppendVerdict, signal: AbortSignal | undefined): Promise<AppendVerdict> {
    if (verdict.result !== 'conflict') return verdict
    try {
      return { ...verdict, missed: await this.#sealer.opened(verdict.missed, signal) }
    } catch (error) {
      if (error instanceof HoldfastError) return { result: 'none', error }
      throw error
    }
  }

  async *readStream(stream: string, options?: StreamRead): AsyncGenerator<readonly StoredEvent[]> {
    for await (const events of this.#store.readStream(stream, options)) yield await this.#sealer.opened(events, options?.signal)
  }

  async *readAll(options?: LogRead): AsyncGenerator<LogBatch> {
    for await (const batch of this.#store.readAll(options)) yield await this.#batch(batch, options)
  }

  async *subscribe(options?: LogRead): AsyncGenerator<LogBatch> {
    for await (const batch of this.#store.subscribe(options)) {
      const opened = await this.#batch(batch, options).catch((error: unknown) => {
        // A subscription ends quietly with its signal, also where that comes while a key is fetched.
        if (options?.signal?.aborted === true) return undefined
        throw error
      })
      if (opened === undefined) return
      yield opened
    }
  }

  async #batch(batch: LogBatch, options: LogRead | undefined): Promise<LogBatch> {
    return { ...batch, events: await this.#sealer.opened(batch.events, options?.signal) }
  }

  async forget(subject: string, signal?: AbortSignal): Promise<void> {
    if (typeof subject !== 'string' || subject.length < 1 || subject.length > 200)
      throw new HoldfastError('INVALID_INPUT', `forget: subject must be a text of 1 to 200 characters, got ${show(subject)}`, {
        effect: 'none',
      })
    await this.#keys.forget(nameOf(subject), signal)
  }

  head(signal?: AbortSignal): Promise<LogHead> {
    return this.#store.head(signal)
  }

  waitFor(token: string, options?: AppendOptions): Promise<bigint> {
    return this.#store.waitFor(token, options)
  }

  truncate(stream: string, options: Parameters<EventStore['truncate']>[1]): Promise<void> {
    return this.#store.truncate(stream, options)
  }

  archive(stream: string, options?: Parameters<EventStore['archive']>[1]): Promise<void> {
    return this.#store.archive(stream, options)
  }

  tombstone(stream: string, options?: Parameters<EventStore['tombstone']>[1]): Promise<void> {
    return this.#store.tombstone(stream, options)
  }

  stats(): Promise<EventStoreStats> {
    return this.#store.stats()
  }

  close(): Promise<void> {
    return this.#store.close()
  }
}

/** What a request shares with others; nothing of one that is malformed. */
function namesOf(request: AppendRequest): readonly string[] {
  try {
    const { tenant, writes, condition, idempotencyKey } = request
    const of = (kind: string, name: unknown): string => JSON.stringify([kind, tenant ?? '', name])
    const queries = Array.isArray(condition?.queries) ? condition.queries : []
    return [
      ...writes.map(({ stream }) => of('stream', stream)),
      ...[...writes.flatMap(({ events }) => events), ...queries].flatMap(({ tags }) => tags ?? []).map((tag) => of('tag', tag)),
      ...(idempotencyKey === undefined ? [] : [of('key', idempotencyKey)]),
    ]
  } catch {
    return []
  }
}

function answering(draft: () => Draft): Drafted {
  try {
    return draft()
  } catch (cause) {
    const error =
      cause instanceof HoldfastError ? cause : new HoldfastError('INVALID_INPUT', `append: ${String(cause)}`, { effect: 'none', cause })
    return { answer: { result: 'none', error } }
  }
}

const settledOr = (draft: Drafted): Drafted => ('answer' in draft ? draft : answering(() => settled(draft)))
const passed = (draft: Drafted): Prepared => ('answer' in draft ? draft : { pass: draft.request })
