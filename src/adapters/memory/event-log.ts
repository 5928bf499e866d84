import { uuidv7 } from '../../core/ids.ts'
import type { AppendReceipt, StoredEvent } from '../../ports/event-store.ts'
import type { CheckedQuery } from '../event-shared/condition.ts'
import type { CheckedEvent } from '../event-shared/event.ts'
import type { Bell } from './bell.ts'
import { EVERY, EventIndex, merged, tagTerm, typeTerm } from './event-index.ts'

/** An event as it is kept: its JSON is text, parsed anew for every reader. */
export interface KeptEvent extends CheckedEvent {
  readonly tenant: string
  readonly stream: string
  readonly version: number
  readonly recordedEpochMs: number
  /** Undefined while its transaction is open. */
  position: number | undefined
}

export type StreamState = 'open' | 'archived' | 'tombstoned'

export interface KeptStream {
  /** Of the last event there ever was. */
  version: number
  state: StreamState
  /** The last ones, without a gap. */
  events: KeptEvent[]
}

/** What an idempotency key was answered. */
export interface Answer {
  readonly hash: string
  receipt: AppendReceipt
}

/** What requests are judged by: the log, or the log as a transaction sees it. */
export interface LogView {
  readonly head: number
  stream(key: string): { readonly version: number; readonly state: StreamState } | undefined
  /** The first of the stream's events above a version. */
  eventsAfter(key: string, version: number, limit: number): KeptEvent[]
  /** The first of those that match any of the queries, above a position. */
  matching(tenant: string, queries: readonly CheckedQuery[], after: number, limit: number): KeptEvent[]
  answer(key: string): Answer | undefined
}

/** No tenant, stream or key has a NUL. */
export const keyOf = (tenant: string, name: string): string => `${tenant}\0${name}`

/** Every event of the tenant. */
export const WHOLE_LOG: readonly CheckedQuery[] = [{ types: undefined, tags: [] }]

export const matches = (event: CheckedEvent, { types, tags }: CheckedQuery): boolean =>
  (types === undefined || types.includes(event.type)) && tags.every((tag) => event.tags.includes(tag))

const termsOf = ({ type, tags }: CheckedEvent): string[] => [EVERY, typeTerm(type), ...tags.map(tagTerm)]

/** The events of a memory store: streams, the log, and the lists that reads and conditions go by. */
export class EventLog implements LogView {
  readonly incarnation = uuidv7()
  readonly streams = new Map<string, KeptStream>()
  readonly answers = new Map<string, Answer>()
  /** Where joined writes came to stand; undefined: not committed. By the number in their token. */
  readonly joined: (number | undefined)[] = []
  /** Of whoever waits for events. */
  readonly bells = new Set<Bell>()
  /** By position, from 1; undefined: gone. */
  readonly #places: (KeptEvent | undefined)[] = [undefined]
  readonly #index = new EventIndex()

  get head(): number {
    return this.#places.length - 1
  }

  stream(key: string): KeptStream | undefined {
    return this.streams.get(key)
  }

  answer(key: string): Answer | undefined {
    return this.answers.get(key)
  }

  at(place: number): KeptEvent | undefined {
    return this.#places[place]
  }

  /** Gives the events their places and versions' rank; the caller has checked everything. */
  add(events: readonly KeptEvent[]): void {
    for (const event of events) {
      const place = this.#places.push(event) - 1
      event.position = place
      const key = keyOf(event.tenant, event.stream)
      const stream = this.streams.get(key)
      if (stream === undefined) this.streams.set(key, { version: event.version, state: 'open', events: [event] })
      else {
        stream.version = event.version
        stream.events.push(event)
      }
      for (const term of termsOf(event)) this.#index.add(event.tenant, term, place)
    }
    if (events.length > 0) for (const bell of this.bells) bell.ring()
  }

  /** Takes events out of the log; their places stay taken. */
  remove(events: readonly KeptEvent[]): void {
    const isThere = (place: number): boolean => this.#places[place] !== undefined
    for (const event of events) {
      // One by one: a list counts what is gone, and has to be told before it looks.
      if (event.position !== undefined) this.#places[event.position] = undefined
      for (const term of termsOf(event)) this.#index.drop(event.tenant, term, isThere)
    }
  }

  eventsAfter(key: string, version: number, limit: number): KeptEvent[] {
    const events = this.streams.get(key)?.events ?? []
    const from = Math.max(0, version + 1 - (events[0]?.version ?? 0))
    return events.slice(from, from + limit)
  }

  /** Of a tenant, or of all (`*`), in order. */
  *walk(tenant: string, query: CheckedQuery, after: number): Generator<KeptEvent> {
    for (const place of merged(this.#listsFor(tenant, query), after)) {
      const event = this.#places[place]
      if (event !== undefined && matches(event, query)) yield event
    }
  }

  matching(tenant: string, queries: readonly CheckedQuery[], after: number, limit: number): KeptEvent[] {
    const found = new Set<KeptEvent>()
    for (const query of queries) {
      let left = limit
      for (const event of this.walk(tenant, query, after)) {
        found.add(event)
        if (--left === 0) break
      }
    }
    return [...found].sort((a, b) => (a.position as number) - (b.position as number)).slice(0, limit)
  }

  /** The lists that have every place that may match: of the rarest tag, else of the types. */
  #listsFor(tenant: string, { types, tags }: CheckedQuery): readonly (readonly number[])[] {
    const [first, ...others] = tags.map((tag) => this.#index.of(tenant, tagTerm(tag)))
    if (first !== undefined) return [others.reduce((least, list) => (list.length < least.length ? list : least), first)]
    return (types ?? [undefined]).map((type) => this.#index.of(tenant, type === undefined ? EVERY : typeTerm(type)))
  }
}

/** A copy that is the reader's own. */
export const storedEvent = (kept: KeptEvent): StoredEvent => ({
  id: kept.id,
  stream: kept.stream,
  version: kept.version,
  position: kept.position === undefined ? undefined : BigInt(kept.position),
  tenant: kept.tenant,
  type: kept.type,
  data: JSON.parse(kept.data),
  metadata: JSON.parse(kept.metadata),
  tags: [...kept.tags],
  recordedEpochMs: kept.recordedEpochMs,
})
