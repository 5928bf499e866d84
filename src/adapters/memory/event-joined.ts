import type { AppendReceipt } from '../../ports/event-store.ts'
import type { CheckedQuery } from '../event-shared/condition.ts'
import type { Plan } from './event-judge.ts'
import { type Answer, type EventLog, type KeptEvent, keyOf, type LogView, matches, type StreamState } from './event-log.ts'
import type { TxPart } from './transactions.ts'

/** The log as a transaction sees it: what is committed, and its own writes after that. */
export class JoinedLog implements LogView, TxPart {
  readonly #log: EventLog
  readonly #events: KeptEvent[] = []
  readonly #streams = new Map<string, { version: number; state: StreamState }>()
  readonly #answers = new Map<string, Answer>()
  /** Tokens' numbers, and how many of the events come before each one's end. */
  readonly #tokens: { readonly token: number; readonly until: number; readonly key: string | undefined }[] = []

  constructor(log: EventLog) {
    this.#log = log
  }

  get head(): number {
    return this.#log.head
  }

  stream(key: string) {
    return this.#streams.get(key) ?? this.#log.stream(key)
  }

  answer(key: string): Answer | undefined {
    return this.#answers.get(key) ?? this.#log.answer(key)
  }

  eventsAfter(key: string, version: number, limit: number): KeptEvent[] {
    const own = this.#events.filter((event) => keyOf(event.tenant, event.stream) === key && event.version > version)
    return [...this.#log.eventsAfter(key, version, limit), ...own].slice(0, limit)
  }

  matching(tenant: string, queries: readonly CheckedQuery[], after: number, limit: number): KeptEvent[] {
    const own = this.#events.filter((event) => event.tenant === tenant && queries.some((query) => matches(event, query)))
    return [...this.#log.matching(tenant, queries, after, limit), ...own].slice(0, limit)
  }

  write({ events, versions, key, hash }: Plan): AppendReceipt {
    this.#events.push(...events)
    for (const { tenant, stream, version } of events) this.#streams.set(keyOf(tenant, stream), { version, state: 'open' })
    const token = this.#log.joined.push(undefined) - 1
    this.#tokens.push({ token, until: this.#events.length, key })
    const receipt = { versions, position: undefined, token: joinedToken(this.#log, token) }
    if (key !== undefined) this.#answers.set(key, { hash, receipt })
    return receipt
  }

  commit(): void {
    const before = this.#log.head
    for (const { token, until, key } of this.#tokens) {
      this.#log.joined[token] = before + until
      const answer = key === undefined ? undefined : this.#answers.get(key)
      if (answer !== undefined) answer.receipt = { ...answer.receipt, position: BigInt(before + until) }
    }
    for (const [key, answer] of this.#answers) this.#log.answers.set(key, answer)
    this.#log.add(this.#events)
  }
}

export const plainToken = ({ incarnation }: EventLog, position: number): string => `${incarnation}.${position}`
const joinedToken = ({ incarnation }: EventLog, number: number): string => `${incarnation}.j${number}`
