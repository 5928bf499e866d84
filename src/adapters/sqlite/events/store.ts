import { randomBytes } from 'node:crypto'
import { refusal } from '../../../core/errors.ts'
import { show } from '../../../core/options.ts'
import { joinSignal, leaveSignal } from '../../../core/waiting.ts'
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
} from '../../../ports/event-store.ts'
import { type CheckedRequest, checkRequest, checkStream, checkTenant, isUnfit } from '../../event-shared/checked.ts'
import { type Bounds, checkBounds, checkLogRead, checkStreamRead } from '../../event-shared/reads.ts'
import { OnAbort } from '../../storage-shared/on-abort.ts'
import { aborted, invalidInput, notStarted } from '../../storage-shared/refusals.ts'
import type { Session } from '../session.ts'
import { Committer, type Entry } from './committer.ts'
import { joinedEvents } from './joined.ts'
import { logReset, unwritten } from './judge.ts'
import { headOf, readAll, readStream, subscribe } from './reader.ts'
import { archived, type Mark, purge, tombstoned, truncated } from './removal.ts'
import { headIn, incarnationIn } from './statements.ts'
import { Tally } from './tally.ts'
import { markAt, readToken, type Token } from './token.ts'
import type { WriterOptions } from './writer.ts'

const DAY_MS = 86_400_000

export interface EventStoreOptions {
  readonly keysKeptDays: number
  readonly appendsQueued: number
}

interface Closing {
  readonly tenant?: string
  readonly signal?: AbortSignal
}

/** The event store on one SQLite database. */
export class SqliteEventStore implements EventStore {
  readonly #session: Session
  readonly #options: EventStoreOptions
  readonly #tally = new Tally()
  readonly #committer: Committer

  constructor(session: Session, options: EventStoreOptions) {
    this.#session = session
    this.#options = options
    const { appendsQueued } = options
    this.#committer = new Committer({ session, tally: this.#tally, times: () => this.#times(), waitingMax: appendsQueued })
    session.afterOpen(() => this.#purge())
    session.beforeClose(() => this.#committer.drained())
  }

  async open(signal?: AbortSignal): Promise<void> {
    await this.#session.open(signal)
  }

  append<Each extends readonly unknown[] | []>(requests: AppendRequests<Each>, options?: AppendOptions): Promise<AppendVerdicts<Each>>
  async append(requests: readonly AppendRequest[], options?: AppendOptions): Promise<readonly AppendVerdict[]> {
    const bounds = checkBounds('append', options)
    if (!Array.isArray(requests)) throw invalidInput('append: requests', 'a list', show(requests))
    if (!this.#session.isOpen) return requests.map(() => unwritten(notStarted('SQLite')))
    const { signal } = bounds
    if (signal?.aborted === true) return requests.map(() => unwritten(aborted('append', signal)))
    const entries: Entry[] = []
    const verdicts = requests.map((request) => {
      const checked = checkRequest(request)
      return isUnfit(checked) ? checked : new Promise<AppendVerdict>((settle) => entries.push(this.#entry(checked, bounds, settle)))
    })
    const listener = new OnAbort(() => this.#leave(entries, signal as AbortSignal))
    if (signal !== undefined) joinSignal(signal, listener)
    for (const entry of entries) this.#committer.add(entry)
    try {
      return await Promise.all(verdicts)
    } finally {
      if (signal !== undefined) leaveSignal(signal, listener)
    }
  }

  #entry(request: CheckedRequest, { timeoutMs }: Bounds, settle: (verdict: AppendVerdict) => void): Entry {
    const sinceMs = this.#session.clock.nowMs()
    return { request, sinceMs, untilMs: sinceMs + timeoutMs, timeoutMs, settle }
  }

  #leave(entries: readonly Entry[], signal: AbortSignal): void {
    for (const entry of entries) if (this.#committer.remove(entry)) entry.settle(unwritten(aborted('append', signal)))
  }

  join(tx: unknown): JoinedEvents {
    return joinedEvents(this.#session, this.#tally, tx, () => this.#times())
  }

  #times(): WriterOptions {
    const nowEpochMs = this.#session.clock.epochMs()
    return { nowEpochMs, keysFromEpochMs: nowEpochMs - this.#options.keysKeptDays * DAY_MS }
  }

  async *readStream(stream: string, options?: StreamRead): AsyncIterable<readonly StoredEvent[]> {
    yield* readStream(this.#session, checkStreamRead(stream, options))
  }

  async *readAll(options?: LogRead): AsyncIterable<LogBatch> {
    yield* readAll(this.#session, checkLogRead('readAll', options))
  }

  async *subscribe(options?: LogRead): AsyncIterable<LogBatch> {
    yield* subscribe(this.#session, checkLogRead('subscribe', options))
  }

  head(signal?: AbortSignal): Promise<LogHead> {
    return headOf(this.#session, signal)
  }

  async waitFor(token: string, options?: AppendOptions): Promise<bigint> {
    const { timeoutMs, signal } = checkBounds('waitFor', options)
    const { clock, changes } = this.#session
    if (!this.#session.isOpen) throw notStarted('SQLite')
    const asked = readToken(token)
    const untilMs = clock.nowMs() + timeoutMs
    for (;;) {
      const since = changes.mark()
      if (await this.#stands(asked, token, signal)) return BigInt(asked.position)
      const leftMs = untilMs - clock.nowMs()
      const woken = leftMs > 0 ? await changes.wait({ since, maxMs: leftMs, signal }) : 'late'
      if (woken === 'aborted') throw aborted('waitFor', signal as AbortSignal)
      if (woken === 'closed') throw notStarted('SQLite')
      if (woken === 'late') throw refusal('WAIT_TIMEOUT', `waitFor: not committed within ${timeoutMs} ms`, { details: { timeoutMs } })
    }
  }

  #stands({ incarnation, position, mark }: Token, token: string, signal: AbortSignal | undefined): Promise<boolean> {
    return this.#session.read(
      'waitFor',
      ({ log }) => {
        if (incarnationIn(log) !== incarnation) throw logReset(`token ${show(token)} is not the log's`)
        const head = headIn(log)
        if (mark === undefined && position > head) throw logReset(`token ${show(token)} is past the head of the log`)
        // Of an event that has been removed since nothing is left to tell it by; its place is passed.
        return position <= head && (mark === undefined || (markAt(log, position) ?? mark) === mark)
      },
      signal,
    )
  }

  async truncate(stream: string, options: Closing & { readonly beforeVersion: number }): Promise<void> {
    const { beforeVersion } = options
    if (!Number.isSafeInteger(beforeVersion) || beforeVersion < 1)
      throw invalidInput('truncate: beforeVersion', 'a version of at least 1', show(beforeVersion))
    await this.#mark('truncate', stream, options, truncated(beforeVersion))
  }

  async archive(stream: string, options?: Closing): Promise<void> {
    await this.#mark('archive', stream, options, archived)
  }

  async tombstone(stream: string, options?: Closing): Promise<void> {
    await this.#mark('tombstone', stream, options, tombstoned)
  }

  async #mark(call: string, stream: string, { tenant = '', signal }: Closing = {}, mark: Mark): Promise<void> {
    checkStream(`${call}: stream`, stream)
    checkTenant(`${call}: tenant`, tenant)
    await this.#session.write(call, ({ log }) => mark(log, tenant, stream), signal)
    await this.#purge()
  }

  /** Nobody sees the rows any more: where they cannot be removed now, the next opening or removal does it. */
  async #purge(): Promise<void> {
    await purge(this.#session).catch(() => {})
  }

  /** Says that positions may have been given twice: after a restore. */
  async renewIncarnation(signal?: AbortSignal): Promise<string> {
    const incarnation = randomBytes(8).toString('hex')
    await this.#session.write('renewIncarnation', ({ log }) => log.setIncarnation.run(incarnation), signal)
    this.#session.changes.ring()
    return incarnation
  }

  async stats(): Promise<EventStoreStats> {
    if (!this.#session.isOpen) throw notStarted('SQLite')
    const { waiting, oldestMs } = this.#committer
    const nowMs = this.#session.clock.nowMs()
    return this.#tally.stats(waiting, nowMs - (oldestMs ?? nowMs))
  }

  close(): Promise<void> {
    return this.#session.close()
  }
}
