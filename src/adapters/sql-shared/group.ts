import { setImmediate } from 'node:timers'
import { HoldfastError, refusal } from '../../core/errors.ts'
import type { Outcome } from '../../core/outcome.ts'
import { aborted, notStarted } from '../storage-shared/refusals.ts'

/**
 * Group commit, for whatever writes in batches (saga journal, event store): what arrives while a batch is in flight travels together in the
 * next one. No timer: what a turn of the event loop brings goes out at its end if a place is free.
 *
 * How to use it: `keysOf` names what must keep its order (a saga, a stream, a tag, an idempotency key). While a key is in a batch no other
 * batch of this process has it, and requests that share one are sent in the order of `add`, behind one another or, unless `alone`, side by
 * side in one batch in that order. `send` answers each request of a batch; where it rejects, all of them fail so. What to do about lost
 * connections and failed batches is `send`'s own matter: for PostgreSQL see `postgres/group/batches.ts`.
 */
export interface GroupOptions<Request, Answer> {
  /** What is asked for, as errors name it. */
  readonly call: string
  readonly engine: string
  readonly keysOf: (request: Request) => readonly string[]
  /** Whether a batch may have each key once only. */
  readonly alone: boolean
  /** How much of a batch's `weightMax` it takes, say in bytes. */
  readonly weightOf: (request: Request) => number
  readonly send: (batch: readonly Request[]) => Promise<readonly Outcome<Answer>[]>
  /** Requests in a batch, at least 1. */
  readonly batchMax: number
  /** A request that is heavier goes alone. */
  readonly weightMax: number
  /** Batches under way at once. */
  readonly inFlight: number
  /** Requests that may wait; more are refused with `QUEUE_FULL`. */
  readonly queued: number
}

interface Entry<Request, Answer> {
  readonly request: Request
  readonly keys: readonly string[]
  readonly weight: number
  readonly settle: (outcome: Outcome<Answer>) => void
  sent: boolean
}

/** How far behind the first a request is looked for that can go before it, as a multiple of a batch. */
const LOOKED_AT = 4

export class Group<Request, Answer> {
  readonly #options: GroupOptions<Request, Answer>
  /** Oldest first. */
  readonly #queue: Entry<Request, Answer>[] = []
  /** Keys that are in flight. */
  readonly #busy = new Set<string>()
  #underWay = 0
  #scheduled = false
  #closed = false
  #drained: (() => void)[] = []

  constructor(options: GroupOptions<Request, Answer>) {
    this.#options = options
  }

  get waiting(): number {
    return this.#queue.length
  }

  /**
   * Resolves with the answer. Rejects with `ABORTED` at once when the signal aborts: effect none while it waits, unknown once it was sent;
   * with `QUEUE_FULL` or `NOT_STARTED` (effect none), or as `send` says.
   */
  add(request: Request, signal?: AbortSignal): Promise<Answer> {
    const { call, engine, queued, keysOf, weightOf } = this.#options
    if (this.#closed) return Promise.reject(notStarted(engine))
    if (signal?.aborted) return Promise.reject(aborted(call, signal))
    if (this.#queue.length >= queued) return Promise.reject(full(call, queued))
    return new Promise<Answer>((resolve, reject) => {
      const onAbort = (): void => {
        const cause = (signal as AbortSignal).reason
        if (entry.sent) reject(new HoldfastError('ABORTED', `${call} was aborted while it was on its way`, { effect: 'unknown', cause }))
        else {
          this.#queue.splice(this.#queue.indexOf(entry), 1)
          reject(aborted(call, signal as AbortSignal))
          this.#whenEmpty()
        }
      }
      const settle = (outcome: Outcome<Answer>): void => {
        signal?.removeEventListener('abort', onAbort)
        if (outcome.ok) resolve(outcome.value)
        else reject(outcome.error)
      }
      const entry: Entry<Request, Answer> = { request, keys: keysOf(request), weight: weightOf(request), settle, sent: false }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#queue.push(entry)
      this.#schedule()
    })
  }

  /** From now on everything is refused. Resolves when what waits and what is in flight has been answered. */
  async close(): Promise<void> {
    this.#closed = true
    if (this.#queue.length === 0 && this.#underWay === 0) return
    await new Promise<void>((resolve) => this.#drained.push(resolve))
  }

  /** Takes requests again. */
  reopen(): void {
    this.#closed = false
  }

  #schedule(): void {
    if (this.#scheduled || this.#underWay >= this.#options.inFlight || this.#queue.length === 0) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#flush()
    })
  }

  #flush(): void {
    while (this.#underWay < this.#options.inFlight) {
      const batch = this.#collect()
      // What is left waits for keys that are in flight: their batch comes back here.
      if (batch.length === 0) return
      this.#underWay += 1
      void this.#send(batch)
    }
  }

  /** The oldest that can go together, none before one that it shares a key with. */
  #collect(): Entry<Request, Answer>[] {
    const { alone, batchMax, weightMax } = this.#options
    const batch: Entry<Request, Answer>[] = []
    const passed: Entry<Request, Answer>[] = []
    const held = new Set<string>()
    const taken = new Set<string>()
    let weight = 0
    let at = 0
    for (; at < this.#queue.length && at < batchMax * LOOKED_AT && batch.length < batchMax; at++) {
      const entry = this.#queue[at] as Entry<Request, Answer>
      if (batch.length > 0 && weight + entry.weight > weightMax) break
      const waits = entry.keys.some((key) => this.#busy.has(key) || held.has(key) || (alone && taken.has(key)))
      for (const key of entry.keys) (waits ? held : taken).add(key)
      if (waits) passed.push(entry)
      else {
        batch.push(entry)
        weight += entry.weight
      }
    }
    this.#queue.splice(0, at, ...passed)
    for (const key of taken) this.#busy.add(key)
    for (const entry of batch) entry.sent = true
    return batch
  }

  async #send(batch: readonly Entry<Request, Answer>[]): Promise<void> {
    let answers: readonly Outcome<Answer>[]
    try {
      answers = await this.#options.send(batch.map(({ request }) => request))
    } catch (error) {
      const effect = error instanceof HoldfastError ? error.effect : 'unknown'
      answers = batch.map(() => ({ ok: false, error, effect }))
    }
    this.#underWay -= 1
    for (const { keys } of batch) for (const key of keys) this.#busy.delete(key)
    for (const [i, { settle }] of batch.entries()) settle(answers[i] ?? noAnswer(this.#options.call))
    this.#schedule()
    this.#whenEmpty()
  }

  #whenEmpty(): void {
    if (this.#queue.length > 0 || this.#underWay > 0) return
    for (const drained of this.#drained.splice(0)) drained()
  }
}

const full = (call: string, queued: number): HoldfastError => refusal('QUEUE_FULL', `${call}: ${queued} requests wait already`)

const noAnswer = (call: string): Outcome<never> => {
  const error = new HoldfastError('STORAGE_CORRUPT', `${call}: the engine answered a batch with fewer verdicts than requests`)
  return { ok: false, error, effect: 'unknown' }
}
