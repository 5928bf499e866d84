import type { Clock } from '../../core/clock.ts'
import { type HoldfastError, refusal } from '../../core/errors.ts'
import { show } from '../../core/options.ts'
import type {
  AppendOptions,
  AppendReceipt,
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
import { type CheckedRequest, checkRequest, checkStream, checkTenant, isUnfit } from '../event-shared/checked.ts'
import { type Bounds, checkBounds } from '../event-shared/reads.ts'
import { aborted, invalidInput, notStarted } from '../storage-shared/refusals.ts'
import { Bell } from './bell.ts'
import { JoinedLog, plainToken } from './event-joined.ts'
import { copied, judge, type Plan, rowsOf, unwritten } from './event-judge.ts'
import { type EventLog, keyOf } from './event-log.ts'
import { type ReadHost, readAll, readStream, subscribe } from './event-reads.ts'
import { archive, tombstone, truncate } from './event-removal.ts'
import { EventTally } from './event-tally.ts'
import { placeOf } from './event-token.ts'
import type { Entered } from './holds.ts'
import type { MemoryStore } from './store.ts'
import { type OpenTx, openTx, txNotOpen } from './transactions.ts'

/** How long `truncate`, `archive` and `tombstone` wait. */
const ALONE_MS = 5_000

/** The reference: a request that nobody holds up is decided and written in one step. */
export class MemoryEventStore implements EventStore {
  readonly #store: MemoryStore
  readonly #clock: Clock
  readonly #bell: Bell
  readonly #tally = new EventTally()
  #isOpen = false

  constructor(store: MemoryStore, clock: Clock) {
    this.#store = store
    this.#clock = clock
    this.#bell = new Bell(clock)
  }

  async open(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) throw aborted('open', signal)
    this.#isOpen = true
    this.#log.bells.add(this.#bell)
  }

  append<Each extends readonly unknown[] | []>(requests: AppendRequests<Each>, options?: AppendOptions): Promise<AppendVerdicts<Each>>
  async append(requests: readonly AppendRequest[], options?: AppendOptions): Promise<readonly AppendVerdict[]> {
    const bounds = checkBounds('append', options)
    if (!Array.isArray(requests)) throw invalidInput('append: requests', 'a list', show(requests))
    if (requests.length > 0) this.#tally.batch(requests.length)
    return await Promise.all(requests.map((request) => this.#decide(request, bounds)))
  }

  join(tx: unknown): JoinedEvents {
    return { append: async (request, options) => await this.#decide(request, checkBounds('append', options), { tx }) }
  }

  #decide(request: AppendRequest, { timeoutMs, signal }: Bounds, joining?: { tx: unknown }): AppendVerdict | Promise<AppendVerdict> {
    if (!this.#isOpen) return unwritten(notStarted('memory'))
    if (signal?.aborted === true) return unwritten(aborted('append', signal))
    const checked = checkRequest(request)
    if (isUnfit(checked)) return checked
    let tx: OpenTx | undefined
    try {
      if (joining !== undefined) tx = openTx(this.#store, joining.tx)
    } catch (error) {
      return unwritten(error as HoldfastError)
    }
    if (tx !== undefined && checked.condition?.queries === 'whole-log') return unwritten(wholeLogJoined())
    let verdict: AppendVerdict | undefined
    const work = (): void => {
      if (tx !== undefined) this.#tally.joined()
      verdict = this.#tally.judged(tx === undefined ? this.#write(checked) : this.#writeIn(tx, checked))
    }
    const by = { ...(tx === undefined ? {} : { tx }), owner: this, clock: this.#clock, signal, maxMs: timeoutMs }
    const entered = this.#store.holds.enter(rowsOf(checked), work, by)
    if (entered === 'free') return verdict as unknown as AppendVerdict
    const waited = this.#tally.waits(this.#clock.nowMs())
    return entered.then((how) => {
      waited()
      return verdict ?? unwritten(this.#refusalFor(how, tx, checked, timeoutMs, signal))
    })
  }

  #refusalFor(
    how: Entered,
    tx: OpenTx | undefined,
    { writes }: CheckedRequest,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): HoldfastError {
    const stream = writes[0]?.stream
    if (how === 'aborted') return aborted('append', signal as AbortSignal)
    if (how === 'closed') return tx?.isOpen === false ? txNotOpen('one that is over') : notStarted('memory')
    if (how === 'full') return refusal('QUEUE_FULL', 'append: too many requests wait for open transactions', { details: { stream } })
    return refusal('STREAM_BUSY', `append: ${show(stream)}, a tag or its key was held by an open transaction for ${timeoutMs} ms`, {
      details: { stream, timeoutMs },
    })
  }

  #write(request: CheckedRequest): AppendVerdict {
    const plan = judge(request, this.#log, this.#clock.epochMs())
    if (plan.result !== 'write') return plan
    this.#log.add(plan.events)
    const receipt: AppendReceipt = {
      versions: plan.versions,
      position: BigInt(this.#log.head),
      token: plainToken(this.#log, this.#log.head),
    }
    if (plan.key !== undefined) this.#log.answers.set(plan.key, { hash: plan.hash, receipt })
    return this.#ok(plan, receipt)
  }

  #writeIn(tx: OpenTx, request: CheckedRequest): AppendVerdict {
    const joined = tx.part(this.#log, () => new JoinedLog(this.#log))
    const plan = judge(request, joined, this.#clock.epochMs())
    return plan.result === 'write' ? this.#ok(plan, joined.write(plan)) : plan
  }

  #ok(plan: Plan, receipt: AppendReceipt): AppendVerdict {
    this.#tally.wrote(plan.events.length)
    return { result: 'ok', ...copied(receipt) }
  }

  readStream(stream: string, options?: StreamRead): AsyncIterable<readonly StoredEvent[]> {
    return readStream(this.#host, stream, options)
  }

  readAll(options?: LogRead): AsyncIterable<LogBatch> {
    return readAll(this.#host, options)
  }

  subscribe(options?: LogRead): AsyncIterable<LogBatch> {
    return subscribe(this.#host, options)
  }

  async head(signal?: AbortSignal): Promise<LogHead> {
    this.#check('head', signal)
    return { position: BigInt(this.#log.head), incarnation: this.#log.incarnation }
  }

  async waitFor(token: string, options?: AppendOptions): Promise<bigint> {
    const { timeoutMs, signal } = checkBounds('waitFor', options)
    const untilMs = this.#clock.nowMs() + timeoutMs
    for (;;) {
      this.#check('waitFor', signal)
      const place = placeOf(this.#log, token)
      if (place !== undefined) return BigInt(place)
      const leftMs = untilMs - this.#clock.nowMs()
      const woken = leftMs > 0 ? await this.#bell.wait({ signal, maxMs: leftMs }) : 'late'
      if (woken === 'late') throw refusal('WAIT_TIMEOUT', `waitFor: not committed within ${timeoutMs} ms`, { details: { timeoutMs } })
    }
  }

  async truncate(stream: string, options: { readonly beforeVersion: number; readonly tenant?: string; readonly signal?: AbortSignal }) {
    const { beforeVersion } = options
    if (!Number.isSafeInteger(beforeVersion) || beforeVersion < 1)
      throw invalidInput('truncate: beforeVersion', 'a version of at least 1', show(beforeVersion))
    await this.#alone('truncate', stream, options, (key) => truncate(this.#log, key, beforeVersion))
  }

  async archive(stream: string, options: Closing = {}): Promise<void> {
    await this.#alone('archive', stream, options, (key) => archive(this.#log, key, stream))
  }

  async tombstone(stream: string, options: Closing = {}): Promise<void> {
    await this.#alone('tombstone', stream, options, (key) => tombstone(this.#log, key))
  }

  /** A stream that an open transaction writes to is not taken away from under it. */
  async #alone(call: string, stream: string, { tenant = '', signal }: Closing, work: (key: string) => void): Promise<void> {
    checkStream(`${call}: stream`, stream)
    checkTenant(`${call}: tenant`, tenant)
    this.#check(call, signal)
    const key = keyOf(tenant, stream)
    let failure: { readonly error: unknown } | undefined
    const safely = (): void => {
      try {
        work(key)
      } catch (error) {
        failure = { error }
      }
    }
    const by = { owner: this, clock: this.#clock, signal, maxMs: ALONE_MS }
    const how = await this.#store.holds.enter([`stream\0${key}`], safely, by)
    if (failure !== undefined) throw failure.error
    if (how === 'aborted') throw aborted(call, signal as AbortSignal)
    if (how === 'closed') throw notStarted('memory')
    if (how !== 'free') throw refusal('STREAM_BUSY', `${call}: ${show(stream)} was held by an open transaction`, { details: { stream } })
  }

  async stats(): Promise<EventStoreStats> {
    this.#check('stats', undefined)
    return this.#tally.stats(this.#clock.nowMs())
  }

  async close(): Promise<void> {
    this.#isOpen = false
    this.#log.bells.delete(this.#bell)
    this.#bell.ring('closed')
    this.#store.holds.leave(this)
  }

  get #log(): EventLog {
    return this.#store.events
  }

  get #host(): ReadHost {
    const isOpen = () => this.#isOpen
    return {
      log: this.#log,
      bell: this.#bell,
      get isOpen() {
        return isOpen()
      },
    }
  }

  #check(call: string, signal: AbortSignal | undefined): void {
    if (signal?.aborted) throw aborted(call, signal)
    if (!this.#isOpen) throw notStarted('memory')
  }
}

interface Closing {
  readonly tenant?: string
  readonly signal?: AbortSignal
}

const wholeLogJoined = (): HoldfastError =>
  invalidInput('append: condition', 'on tags in a transaction of yours: the whole log would be held until it ends', "'whole-log'")
