import { keyOf, type Pending } from './pending.ts'

const REQUESTS_MAX = 500
const EVENTS_MAX = 10_000
const SIZE_MAX = 4 * 1024 * 1024
/** From so many events on, waiting and in flight, two batches of half of them are quicker than one: one is made while the server decides the other. */
const HALVED_FROM = 32

/** What a batch holds until it is settled. */
export interface Batch {
  readonly requests: readonly Pending[]
  readonly rows: ReadonlySet<string>
}

/**
 * Who waits, in order of arrival. A request that shares a stream, a tag or a key with one that is in flight, or with an earlier one that has to
 * stay, stays too: so what one process asks of a stream is decided in the order in which it was asked.
 */
export class AppendQueue {
  #waiting: Pending[] = []
  /** Events that wait, and those in flight. */
  #events = 0
  #eventsInFlight = 0
  readonly #held = new Set<string>()
  /** Names that may have no row, and so need a place in the server's lock table. */
  namesMax = 128

  get length(): number {
    return this.#waiting.length
  }

  get oldest(): Pending | undefined {
    return this.#waiting[0]
  }

  add(pending: Pending): void {
    this.#waiting.push(pending)
    this.#events += pending.events
  }

  /** Puts back what is to be asked again, where it was. */
  putBack(requests: readonly Pending[]): void {
    if (requests.length === 0) return
    this.#waiting = [...requests, ...this.#waiting].sort((a, b) => a.number - b.number)
    this.#events += eventsOf(requests)
  }

  remove(pending: Pending): void {
    const at = this.#waiting.indexOf(pending)
    if (at < 0) return
    this.#waiting.splice(at, 1)
    this.#events -= pending.events
  }

  /** When the first of those who pause may go on. */
  nextMs(nowMs: number): number | undefined {
    let next: number | undefined
    for (const { notBeforeMs } of this.#waiting) if (notBeforeMs > nowMs && (next === undefined || notBeforeMs < next)) next = notBeforeMs
    return next
  }

  release({ requests, rows }: Batch): void {
    this.#eventsInFlight -= eventsOf(requests)
    for (const row of rows) this.#held.delete(row)
  }

  /** The first that `wanted` takes and whose rows are free, alone in a batch. */
  takeOne(nowMs: number, wanted: (pending: Pending) => boolean): Batch | undefined {
    const passed = new Set<string>()
    for (const pending of this.#waiting) {
      if (this.#isFree(pending, passed, nowMs) && wanted(pending)) {
        this.remove(pending)
        return this.#hold([pending])
      }
      for (const row of pending.rows) passed.add(row)
    }
    return undefined
  }

  take(nowMs: number): Batch | undefined {
    const taken: Pending[] = []
    const stay: Pending[] = []
    const passed = new Set<string>()
    const keys = new Set<string>()
    let [events, size, names] = [0, 0, 0]
    const outstanding = this.#events + this.#eventsInFlight
    const share = outstanding < HALVED_FROM ? EVENTS_MAX : Math.min(EVENTS_MAX, Math.ceil(outstanding / 2))
    let i = 0
    for (; i < this.#waiting.length; i++) {
      const pending = this.#waiting[i] as Pending
      const { request, rows } = pending
      const isWhole = request.condition?.queries === 'whole-log'
      const key = keyOf(pending)
      if (!this.#isFree(pending, passed, nowMs) || (isWhole && taken.length > 0) || (key !== undefined && keys.has(key))) {
        for (const row of rows) passed.add(row)
        stay.push(pending)
        continue
      }
      events += pending.events
      size += request.size
      names += rows.length
      const full = taken.length >= REQUESTS_MAX || events > share || size > SIZE_MAX || names > this.namesMax
      if (full && taken.length > 0) break
      taken.push(pending)
      if (key !== undefined) keys.add(key)
      if (isWhole) {
        i += 1
        break
      }
    }
    if (taken.length === 0) return undefined
    this.#waiting = stay.concat(this.#waiting.slice(i))
    this.#events -= eventsOf(taken)
    return this.#hold(taken)
  }

  #isFree({ rows, notBeforeMs }: Pending, passed: ReadonlySet<string>, nowMs: number): boolean {
    if (notBeforeMs > nowMs) return false
    if (passed.size === 0 && this.#held.size === 0) return true
    for (const row of rows) if (passed.has(row) || this.#held.has(row)) return false
    return true
  }

  #hold(requests: readonly Pending[]): Batch {
    const rows = new Set<string>()
    for (const pending of requests) {
      for (const row of pending.rows) {
        rows.add(row)
        this.#held.add(row)
      }
    }
    this.#eventsInFlight += eventsOf(requests)
    return { requests, rows }
  }
}

const eventsOf = (requests: readonly Pending[]): number => requests.reduce((sum, { events }) => sum + events, 0)
