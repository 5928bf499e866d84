import type { Clock } from '../../../core/clock.ts'
import { HoldfastError, refusal } from '../../../core/errors.ts'
import { uuidv7 } from '../../../core/ids.ts'
import type { AppendVerdict } from '../../../ports/event-store.ts'
import type { SqlRow, SqlText } from '../../sql-shared/runner.ts'
import { aborted } from '../../storage-shared/refusals.ts'
import type { CallOptions, PgClient, PgStatement } from '../client/client.ts'
import { stateOf } from '../errors.ts'
import { numbersOf } from './arrays.ts'
import { none, type Undecided, verdictsOf } from './decode.ts'
import { encodeBatch, encodeOne, encodePlain } from './encode.ts'
import type { Pending } from './pending.ts'
import { hasManyTags, prepareTags } from './prepare-tags.ts'
import { NOT_READ_COMMITTED } from './sql/append.ts'
import { STATUS } from './sql/status.ts'
import type { EventStatements } from './statements.ts'

/** How long after the last deadline of a batch its answer is waited for. */
const GRACE_MS = 1_000
/** When an answer is taken for lost: drivers have been seen to forget a query whose connection was killed. Doubled each time it was too soon. */
export const ANSWER_MAX_MS = 2_000
/** How long a request waits on the server at a time: also who has left it there is gone by then. */
const WAIT_MAX_MS = 250
/** Of what fails for a reason that may go away, before the batch is divided, or a request on its own is given up. */
const RETRIES = 2
const PAUSE_MAX_MS = 100

export interface FlightHost {
  readonly client: PgClient
  readonly statements: EventStatements
  readonly clock: Clock
  readonly answerMaxMs: number
  /** Answers a request. */
  answered(pending: Pending, verdict: AppendVerdict): void
  /** It is to be asked again. */
  undecided(pending: Pending, why: Undecided): void
  /** The server's lock table was full. */
  crowded(): void
  sent(requests: number): void
}

/** Requests that travel together, and how often they have failed together. */
interface Part {
  readonly requests: readonly Pending[]
  readonly failures: number
  /** How often their answer was lost. */
  readonly losses: number
}

/** Sends batches and sees each of their requests through: to a verdict, or back to the queue. */
export class Flights {
  readonly #host: FlightHost
  /** The session's default isolation is another than READ COMMITTED: transactions are begun by name from then on. */
  #begins = false

  constructor(host: FlightHost) {
    this.#host = host
  }

  /** `waits`: one request, which waits on the server for what others hold. Resolves when each was answered or put back. */
  async fly(requests: readonly Pending[], waits: boolean): Promise<void> {
    const parts: Part[] = [{ requests, failures: 0, losses: 0 }]
    for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
      for (const pending of part.requests)
        if (pending.caller !== undefined) this.#host.answered(pending, none(aborted('append', pending.caller)))
      const open = part.requests.filter(({ answered }) => !answered)
      if (open.length === 0) continue
      parts.unshift(...(await this.#send({ ...part, requests: open }, waits)))
    }
  }

  /** One round trip; answers what is to be sent again, in order. */
  async #send(part: Part, waits: boolean): Promise<Part[]> {
    const id = uuidv7()
    const { requests, losses } = part
    const { client, statements, clock, answerMaxMs } = this.#host
    const leftMs = (requests[0] as Pending).deadlineMs - clock.nowMs()
    const waitMs = waits ? Math.min(WAIT_MAX_MS, Math.max(1, Math.ceil(leftMs))) : 0
    const checked = requests.map(({ request }) => request)
    const call = (): Promise<SqlRow> =>
      waits ? this.#append(encodeOne(id, (requests[0] as Pending).request, waitMs)) : this.#call(id, requests)
    this.#host.sent(requests.length)
    let row: SqlRow
    try {
      for (const request of checked) if (hasManyTags(request)) await prepareTags(client, statements, request)
      for (const pending of requests) pending.sent = true
      row = await this.#bounded(requests, call(), answerMaxMs * 2 ** losses, waits ? requests[0] : undefined)
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error
      for (const pending of requests) {
        pending.sent = error.effect === 'unknown'
        pending.lost = pending.sent ? error : undefined
        pending.failure = error
      }
      if (error.effect === 'unknown') return await this.#settle(id, part, error)
      return await this.#failed({ ...part, failures: part.failures + 1 }, error, waits)
    }
    if (row[3] === NOT_READ_COMMITTED) {
      this.#begins = true
      return [part]
    }
    this.#tell(requests, verdictsOf(checked, row))
    return []
  }

  /** What comes alone by the short way first; where that has not decided it, and has done nothing, as any batch. */
  async #call(id: string, requests: readonly Pending[]): Promise<SqlRow> {
    const [first] = requests as readonly [Pending]
    const plain = requests.length === 1 && first.busy === 0 ? encodePlain(id, first.request) : undefined
    if (plain !== undefined) {
      const row = await this.#query(this.#host.statements.one, plain)
      if (row[0] !== null) return row
    }
    return await this.#append(
      encodeBatch(
        id,
        requests.map(({ request }) => request),
      ),
    )
  }

  #append(values: readonly SqlText[]): Promise<SqlRow> {
    const { statement, values: bound } = this.#host.statements.append(values)
    return this.#query(statement, bound)
  }

  async #query(statement: PgStatement, values: readonly SqlText[]): Promise<SqlRow> {
    const { client } = this.#host
    const rows = this.#begins
      ? await client.transaction((connection) => connection.query(statement, values), CALL)
      : await client.query(statement, values, CALL)
    return rows[0] ?? []
  }

  /** Leaves a server that does not answer; what was sent goes on without us. `alone`: what its caller may leave sooner. */
  #bounded<T>(requests: readonly Pending[], sent: Promise<T>, maxMs: number, alone?: Pending): Promise<T> {
    const { clock } = this.#host
    return new Promise<T>((resolve, reject) => {
      const leave = (): void => reject(noAnswer())
      const leftMs = Math.max(1, lastDeadline(requests) + GRACE_MS - clock.nowMs())
      const bound = clock.setTimer(leave, Math.min(maxMs, leftMs))
      const end = (): void => {
        bound.clear()
        if (alone !== undefined) alone.leave = undefined
      }
      if (alone !== undefined) alone.leave = leave
      sent.then(resolve, reject).finally(end)
    })
  }

  #tell(requests: readonly Pending[], verdicts: readonly (AppendVerdict | Undecided)[]): void {
    for (const [i, pending] of requests.entries()) {
      const verdict = verdicts[i] as AppendVerdict | Undecided
      pending.sent = false
      if (typeof verdict === 'string') this.#host.undecided(pending, verdict)
      else this.#host.answered(pending, verdict)
    }
  }

  /** Certainly rolled back. A batch is divided until the one that cannot be written stands alone. */
  async #failed(part: Part, error: HoldfastError, waits: boolean): Promise<Part[]> {
    const { requests, failures, losses } = part
    const state = stateOf(error)
    const [first] = requests as readonly [Pending]
    if (waits && state !== undefined && CONTENDED.has(state)) {
      this.#host.undecided(first, 'busy')
      return []
    }
    if (state === OUT_OF_LOCKS) this.#host.crowded()
    if (isEverybodys(error)) {
      for (const pending of requests) this.#host.answered(pending, none(error))
      return []
    }
    const isReached = state !== undefined && !OUT_OF_REACH.test(state)
    if (error.retry === 'later' && (!isReached || failures <= RETRIES)) {
      await this.#pause(Math.min(PAUSE_MAX_MS, 2 ** failures))
      return [part]
    }
    if (requests.length === 1) {
      this.#host.answered(first, none(error))
      return []
    }
    const middle = requests.length >> 1
    return [
      { requests: requests.slice(0, middle), failures: 0, losses },
      { requests: requests.slice(middle), failures: 0, losses },
    ]
  }

  /**
   * Nobody knows whether the batch was written. Its id is claimed, not looked up: the original may still be on its way to its commit, and must not
   * come after an answer that says it was not written.
   */
  async #settle(id: string, part: Part, lost: HoldfastError): Promise<Part[]> {
    const { requests } = part
    const { clock, client, statements, answerMaxMs } = this.#host
    for (let tries = 0; ; tries++) {
      const leftMs = lastDeadline(requests.filter(({ answered }) => !answered)) - clock.nowMs()
      if (!(leftMs > 0)) break
      try {
        const values = [id, String(Math.ceil(Math.min(leftMs, answerMaxMs)))]
        const claim = client.transaction((connection) => connection.query(statements.claim, values), CALL)
        const [row] = await this.#bounded(requests, claim, answerMaxMs * 2)
        return this.#settled(part, row ?? [])
      } catch {
        // Until the deadline: the server may be back by then.
        await this.#pause(Math.min(PAUSE_MAX_MS, 2 ** tries))
      }
    }
    for (const pending of requests) this.#host.answered(pending, { result: 'unknown', error: lost })
    return []
  }

  #settled(part: Part, [statuses = null, versions = null, base = null, incarnation = null]: SqlRow): Part[] {
    const { requests } = part
    const losses = part.losses + 1
    for (const pending of requests) {
      pending.sent = false
      pending.lost = undefined
    }
    if (statuses === null) return [{ requests, failures: 0, losses }]
    // What was refused has written nothing, and is decided anew.
    const status = numbersOf(statuses)
    const verdicts = verdictsOf(
      requests.map(({ request }) => request),
      [`{${status.map((one) => (one === STATUS.ok ? STATUS.ok : STATUS.again)).join(',')}}`, versions, base, incarnation, null],
    )
    const again: Pending[] = []
    for (const [i, pending] of requests.entries()) {
      const verdict = verdicts[i] as AppendVerdict | Undecided
      if (typeof verdict === 'string') again.push(pending)
      else this.#host.answered(pending, verdict)
    }
    return again.length === 0 ? [] : [{ requests: again, failures: 0, losses }]
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#host.clock.setTimer(resolve, ms))
  }
}

const CALL: CallOptions = { call: 'append', writes: true }

/** 55P03, a deadlock, a serialization failure. */
const CONTENDED = new Set(['55P03', '40P01', '40001'])
/** No connection to be had for now: as long as there is time it is tried again. */
const OUT_OF_REACH = /^(08|53300|57P)/
/** A read-only server, a full disk, a missing privilege, no tables: to ask for each request on its own would change nothing. */
const EVERYBODYS = new Set(['25006', '53100', '42501'])
const isEverybodys = (error: HoldfastError): boolean => error.code === 'NOT_MIGRATED' || EVERYBODYS.has(stateOf(error) ?? '')
const OUT_OF_LOCKS = '53200'

const lastDeadline = (requests: readonly Pending[]): number => requests.reduce((last, { deadlineMs }) => Math.max(last, deadlineMs), 0)

export const noAnswer = (): HoldfastError =>
  refusal('STORAGE_UNAVAILABLE', 'append: PostgreSQL has not answered in time', {
    effect: 'unknown',
    details: { reason: 'no answer in time' },
  })
