import { HoldfastError } from '../../core/errors.ts'
import { invalidOption, show } from '../../core/options.ts'
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
import { appendPrepared, type Prepared } from './prepared.ts'

const TENANT_MAX = 200

/**
 * A view of an event store that has one tenant only: it fills the tenant in, and refuses any other.
 *
 * Appends, reads, subscriptions, truncating and closing go to the tenant's streams alone; whoever names another tenant, or `'*'`, is refused,
 * and so is what comes with it, never answered from elsewhere. What is shared by all tenants is seen by all: the head, positions (from
 * whose gaps one can tell how much others write) and `stats()`. `open` and `close` are the store's own: a view for one request is simply dropped.
 *
 * @param tenant 1 to 200 characters, not `'*'`.
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none) for a tenant that is none. A request of another tenant is answered `none` with
 * `INVALID_INPUT`; a read of one, or removing there, rejects with it (effect none).
 * @example
 * ```ts
 * const events = tenantEvents(storage.eventStore, request.tenant)
 * await events.append([{ writes: [{ stream: 'order-1', expect: 'none', events: [placed] }] }])
 * ```
 */
export function tenantEvents(store: EventStore, tenant: string): EventStore {
  if (typeof tenant !== 'string' || tenant.length < 1 || tenant.length > TENANT_MAX || tenant === '*' || tenant.includes('\0'))
    throw invalidOption('tenantEvents', 'tenant', `a text of 1 to ${TENANT_MAX} characters, without NUL, and not '*'`, tenant)
  return new TenantEvents(store, tenant)
}

/** Which tenant a store writes for that is told none. */
export const tenantOf = (store: EventStore): string => (store instanceof TenantEvents ? store.tenant : '')

class TenantEvents implements EventStore {
  readonly #store: EventStore
  readonly tenant: string

  constructor(store: EventStore, tenant: string) {
    this.#store = store
    this.tenant = tenant
  }

  open(signal?: AbortSignal): Promise<void> {
    return this.#store.open(signal)
  }

  append<Each extends readonly unknown[] | []>(requests: AppendRequests<Each>, options?: AppendOptions): Promise<AppendVerdicts<Each>>
  async append(requests: readonly AppendRequest[], options?: AppendOptions): Promise<readonly AppendVerdict[]> {
    // What is no list the store itself refuses.
    if (!Array.isArray(requests)) return await this.#store.append(requests, options)
    return await appendPrepared(
      this.#store,
      requests.map((request) => this.#prepared(request)),
      options,
    )
  }

  join(tx: unknown): JoinedEvents {
    const joined = this.#store.join(tx)
    return {
      append: async (request, options) => {
        const prepared = this.#prepared(request)
        return 'pass' in prepared ? await joined.append(prepared.pass, options) : prepared.answer
      },
    }
  }

  async *readStream(stream: string, options?: StreamRead): AsyncGenerator<readonly StoredEvent[]> {
    yield* this.#store.readStream(stream, this.#filled('readStream', options))
  }

  async *readAll(options?: LogRead): AsyncGenerator<LogBatch> {
    yield* this.#store.readAll(this.#filled('readAll', options))
  }

  async *subscribe(options?: LogRead): AsyncGenerator<LogBatch> {
    yield* this.#store.subscribe(this.#filled('subscribe', options))
  }

  head(signal?: AbortSignal): Promise<LogHead> {
    return this.#store.head(signal)
  }

  waitFor(token: string, options?: AppendOptions): Promise<bigint> {
    return this.#store.waitFor(token, options)
  }

  async truncate(stream: string, options: Parameters<EventStore['truncate']>[1]): Promise<void> {
    await this.#store.truncate(stream, this.#filled('truncate', options))
  }

  async archive(stream: string, options?: Parameters<EventStore['archive']>[1]): Promise<void> {
    await this.#store.archive(stream, this.#filled('archive', options))
  }

  async tombstone(stream: string, options?: Parameters<EventStore['tombstone']>[1]): Promise<void> {
    await this.#store.tombstone(stream, this.#filled('tombstone', options))
  }

  stats(): Promise<EventStoreStats> {
    return this.#store.stats()
  }

  close(): Promise<void> {
    return this.#store.close()
  }

  /** A copy with the tenant: what was looked at is what is passed on, also where the caller's object is a getter or changes later. */
  #filled<T extends { readonly tenant?: string }>(call: string, given: T | undefined): T & { readonly tenant: string } {
    const copy = { ...(given as T) }
    if (copy.tenant === undefined || copy.tenant === this.tenant) return { ...copy, tenant: this.tenant }
    throw new HoldfastError('INVALID_INPUT', `${call}: these are the events of one tenant, and ${show(copy.tenant)} is another`, {
      effect: 'none',
      details: { tenant: copy.tenant },
    })
  }

  #prepared(request: AppendRequest): Prepared {
    // Whatever is no object the store itself says what is wrong with.
    if (typeof request !== 'object' || request === null) return { pass: request }
    try {
      return { pass: this.#filled('append', request) }
    } catch (cause) {
      const error =
        cause instanceof HoldfastError ? cause : new HoldfastError('INVALID_INPUT', `append: ${String(cause)}`, { effect: 'none', cause })
      return { answer: { result: 'none', error } }
    }
  }
}
