import { HoldfastError, refusal } from '../../../core/errors.ts'
import { show } from '../../../core/options.ts'
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
import type { Notifier } from '../../../ports/notifier.ts'
import { checkStream, checkTenant } from '../../event-shared/checked.ts'
import type { SqlRow, SqlText } from '../../sql-shared/runner.ts'
import { aborted, invalidInput, notStarted } from '../../storage-shared/refusals.ts'
import type { PgStatement } from '../client/client.ts'
import { stateOf } from '../errors.ts'
import type { PgSession } from '../session.ts'
import { asOpenTransaction } from '../transactions/open-transaction.ts'
import { appendAll } from './append.ts'
import { checkBounds, TIMEOUT_MS } from './bounds.ts'
import { Committer } from './committer.ts'
import { closed } from './decode.ts'
import { ANSWER_MAX_MS } from './flight.ts'
import { joined } from './joined.ts'
import { prepareTags } from './prepare-tags.ts'
import { type ReadHost, readAll, readStream, subscribe } from './reads.ts'
import { type EventStatements, eventStatements } from './statements.ts'
import { EventTally } from './tally.ts'
import { Upkeep } from './upkeep.ts'
import { waitFor } from './waiting-for.ts'
import { Wakes } from './wakes.ts'

export interface PgEventStoreOptions {
  /** After how many days a key may be forgotten. */
  readonly keysKeptDays: number
  /** When the answer to a batch is taken for lost, in milliseconds. */
  readonly answerMaxMs?: number
  /** Hints that reach other processes at once, where there are such. */
  readonly hints?: Notifier | undefined
}

export interface PostgresEventStore extends EventStore {
  /**
   * Gives the log another incarnation: for an operator who has put back an older state of the database in a way that the server does not show (a
   * copy of its files). Readers, tokens and checkpoints of before are answered `LOG_RESET` from then on.
   */
  rotate(signal?: AbortSignal): Promise<LogHead>
}

interface Closing {
  readonly tenant?: string
  readonly signal?: AbortSignal
}

/** Events in PostgreSQL. What is decided is decided by the functions of the migrations; here requests are grouped, and answers read. */
export class PgEventStore implements PostgresEventStore {
  readonly #session: PgSession
  readonly #statements: EventStatements
  readonly #tally = new EventTally()
  readonly #wakes: Wakes
  readonly #upkeep: Upkeep
  readonly #host: ReadHost
  readonly #committer: Committer
  #isOpen = false

  constructor(session: PgSession, { keysKeptDays, answerMaxMs = ANSWER_MAX_MS, hints }: PgEventStoreOptions) {
    this.#session = session
    const { client, names, clock } = session
    const statements = eventStatements(names)
    this.#statements = statements
    this.#wakes = new Wakes(clock, hints)
    this.#upkeep = new Upkeep({ client, clock, statement: statements.purge, keysKeptDays })
    const wrote = (): void => {
      this.#wakes.wrote()
      this.#upkeep.perhaps()
    }
    this.#committer = new Committer({ client, statements, clock, tally: this.#tally, answerMaxMs, wrote })
    this.#host = {
      statements,
      wakes: this.#wakes,
      check: (call, signal) => this.#check(call, signal),
      read: (statement, values, call, signal) => this.#read(statement, values, call, signal),
      place: (signal) => this.#place(signal),
    }
  }

  async open(signal?: AbortSignal): Promise<void> {
    await this.#session.inspect(signal)
    await this.#ask(this.#statements.open, ['false'], 'open', signal)
    this.#wakes.open()
    this.#isOpen = true
  }

  append<Each extends readonly unknown[] | []>(requests: AppendRequests<Each>, options?: AppendOptions): Promise<AppendVerdicts<Each>>
  append(requests: readonly AppendRequest[], options?: AppendOptions): Promise<readonly AppendVerdict[]> {
    return appendAll(
      {
        committer: this.#committer,
        clock: this.#session.clock,
        check: (call, signal) => this.#check(call, signal),
      },
      requests,
      options,
    )
  }

  join(tx: unknown): JoinedEvents {
    return joined(
      {
        statements: this.#statements,
        tally: this.#tally,
        openTransaction: (given) => asOpenTransaction(given, this.#session.how),
        check: (call, signal) => this.#check(call, signal),
        prepare: (request) => prepareTags(this.#session.client, this.#statements, request),
      },
      tx,
    )
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
    const [head, incarnation] = await this.#read(this.#statements.head, [], 'head', signal)
    return { position: BigInt(head ?? 0), incarnation: incarnation ?? '' }
  }

  async waitFor(token: string, options?: AppendOptions): Promise<bigint> {
    return await waitFor(this.#host, this.#session.clock, token, checkBounds('waitFor', options))
  }

  async truncate(stream: string, options: { readonly beforeVersion: number } & Closing): Promise<void> {
    const { beforeVersion } = options
    if (!Number.isSafeInteger(beforeVersion) || beforeVersion < 1)
      throw invalidInput('truncate: beforeVersion', 'a version of at least 1', show(beforeVersion))
    await this.#shut('truncate', stream, options, null, String(beforeVersion))
  }

  async archive(stream: string, options: Closing = {}): Promise<void> {
    await this.#shut('archive', stream, options, 'archived', null)
  }

  async tombstone(stream: string, options: Closing = {}): Promise<void> {
    await this.#shut('tombstone', stream, options, 'tombstoned', null)
  }

  /** Waits for whoever holds the stream, in steps, so that an abort does not leave somebody waiting on the server for long. */
  async #shut(call: string, stream: string, { tenant = '', signal }: Closing, how: string | null, before: SqlText): Promise<void> {
    checkStream(`${call}: stream`, stream)
    checkTenant(`${call}: tenant`, tenant)
    const { clock } = this.#session
    const untilMs = clock.nowMs() + TIMEOUT_MS
    for (;;) {
      this.#check(call, signal)
      const leftMs = untilMs - clock.nowMs()
      if (leftMs <= 0) throw refusal('STREAM_BUSY', `${call}: ${show(stream)} was held by an open transaction`, { details: { stream } })
      const answer = await this.#shutOnce(call, [tenant, stream, how, before, String(Math.min(1_000, Math.ceil(leftMs)))], signal)
      if (answer === 'tombstoned' && how === 'archived') throw closed(stream, 'tombstoned')
      if (answer === 'placing') await this.#place(signal)
      else if (answer !== 'busy') return
    }
  }

  async #shutOnce(call: string, values: readonly SqlText[], signal: AbortSignal | undefined): Promise<SqlText> {
    try {
      return (await this.#ask(this.#statements.shut, values, call, signal))[0] ?? null
    } catch (error) {
      if (stateOf(error) === '55P03' || stateOf(error) === '40P01') return 'busy'
      throw error
    }
  }

  async stats(): Promise<EventStoreStats> {
    this.#check('stats', undefined)
    const [pending, snapshotMs] = await this.#read(this.#statements.stats, [], 'stats', undefined)
    return {
      ...this.#tally.counts,
      waiting: this.#committer.waiting,
      oldestWaitMs: this.#committer.oldestWaitMs,
      pendingJoined: Number(pending),
      ...(snapshotMs === null || snapshotMs === undefined ? {} : { oldestSnapshotMs: Number(snapshotMs) }),
    }
  }

  async rotate(signal?: AbortSignal): Promise<LogHead> {
    this.#check('rotate', signal)
    const [head, incarnation] = await this.#ask(this.#statements.open, ['true'], 'rotate', signal)
    return { position: BigInt(head ?? 0), incarnation: incarnation ?? '' }
  }

  async close(): Promise<void> {
    this.#isOpen = false
    this.#wakes.close()
    await this.#committer.drain()
    await this.#upkeep.ended()
  }

  #check(call: string, signal: AbortSignal | undefined): void {
    if (signal?.aborted) throw aborted(call, signal)
    if (!this.#isOpen) throw notStarted('PostgreSQL')
  }

  async #read(statement: PgStatement, values: readonly SqlText[], call: string, signal: AbortSignal | undefined): Promise<SqlRow> {
    return (await this.#session.client.query(statement, values, { call, writes: false, signal }))[0] ?? []
  }

  /** One call that may write, READ COMMITTED whatever the connection's default is. */
  async #ask(statement: PgStatement, values: readonly SqlText[], call: string, signal: AbortSignal | undefined): Promise<SqlRow> {
    const work = this.#session.client.transaction((connection) => connection.query(statement, values), { call, writes: true, signal })
    return (await work)[0] ?? []
  }

  /** On a standby nothing can be written, and who positions is the primary. */
  async #place(signal: AbortSignal | undefined): Promise<void> {
    try {
      const [placed] = await this.#ask(this.#statements.place, [String(TIMEOUT_MS)], 'place', signal)
      if (placed !== '0') this.#wakes.ring()
    } catch (error) {
      if (signal?.aborted === true || !(error instanceof HoldfastError)) throw error
      if (error.retry === 'never') throw error
    }
  }
}
