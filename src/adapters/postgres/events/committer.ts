import type { Clock, Timer } from '../../../core/clock.ts'
import { type HoldfastError, refusal } from '../../../core/errors.ts'
import { show } from '../../../core/options.ts'
import type { AppendVerdict } from '../../../ports/event-store.ts'
import type { CheckedRequest } from '../../event-shared/checked.ts'
import { aborted } from '../../storage-shared/refusals.ts'
import type { PgClient } from '../client/client.ts'
import { abortedInFlight } from '../client/leaving.ts'
import { none, type Undecided } from './decode.ts'
import { Flights, noAnswer } from './flight.ts'
import { Pending } from './pending.ts'
import { AppendQueue, type Batch } from './queue.ts'
import type { EventStatements } from './statements.ts'
import type { EventTally } from './tally.ts'

/** One is decided while another is on its way to the disk. */
const BATCHES_MAX = 2
/** Requests that wait on the server for what others hold: each takes a connection. */
const ALONE_MAX = 3
/** So often what is busy is tried in a batch before it may wait alone. */
const TRIES_MAX = 3
const PAUSE_MAX_MS = 50
const QUEUED_MAX = 10_000
const NAMES_MIN = 8
/** How long what is on its way may still be answered after its caller has gone. */
const ABORT_MAX_MS = 1_000

export interface CommitterOptions {
  readonly client: PgClient
  readonly statements: EventStatements
  readonly clock: Clock
  readonly tally: EventTally
  readonly answerMaxMs: number
  /** Something was written. */
  readonly wrote: () => void
}

/**
 * Sends what is asked for while batches are in flight together in the next one: one round trip, one transaction, one write to the disk. Nobody
 * waits for company: an idle committer sends at the end of the turn.
 */
export class Committer {
  readonly #options: CommitterOptions
  readonly #queue = new AppendQueue()
  readonly #flights: Flights
  #batches = 0
  #alone = 0
  #number = 0
  #pumping = false
  #pause: Timer | undefined
  /** To be asked again once the batch they were in is over. */
  readonly #returned: Pending[] = []
  readonly #drained: (() => void)[] = []

  constructor(options: CommitterOptions) {
    this.#options = options
    const { client, statements, clock, answerMaxMs } = options
    this.#flights = new Flights({
      client,
      statements,
      clock,
      answerMaxMs,
      answered: (pending, verdict) => this.#answered(pending, verdict),
      undecided: (pending, why) => this.#undecided(pending, why),
      crowded: () => {
        this.#queue.namesMax = Math.max(NAMES_MIN, this.#queue.namesMax >> 1)
      },
      sent: (requests) => options.tally.sent(requests),
    })
  }

  get waiting(): number {
    return this.#queue.length
  }

  get oldestWaitMs(): number {
    const { oldest } = this.#queue
    return oldest === undefined ? 0 : this.#options.clock.nowMs() - oldest.enteredMs
  }

  /** Enters a request that is fit; `answer` is called once. */
  enter(request: CheckedRequest, timeoutMs: number, answer: (verdict: AppendVerdict) => void): Pending | undefined {
    if (this.#queue.length >= QUEUED_MAX) {
      answer(none(refusal('QUEUE_FULL', `append: ${QUEUED_MAX} requests wait already`, { details: { queued: QUEUED_MAX } })))
      return undefined
    }
    const enteredMs = this.#options.clock.nowMs()
    const pending = new Pending(request, this.#number++, { enteredMs, deadlineMs: enteredMs + timeoutMs }, answer)
    this.#queue.add(pending)
    this.#pumpSoon()
    return pending
  }

  /** Its time is over. What is on its way may still be answered: false. */
  expire(pending: Pending, timeoutMs: number): boolean {
    if (pending.answered) return true
    if (pending.sent && pending.lost === undefined) return false
    if (pending.lost !== undefined) this.giveUp(pending)
    else this.#leave(pending, none(pending.failure ?? streamBusy(pending.request, timeoutMs)))
    return true
  }

  /** Its time has been over for a while, and the server has said nothing. */
  giveUp(pending: Pending): void {
    this.#answered(pending, { result: 'unknown', error: pending.lost ?? noAnswer() })
  }

  /**
   * Its caller has gone. What is on its way is waited for a little, since a certain answer is worth it; what waits on the server for others leaves
   * at once, and is settled.
   */
  abort(pending: Pending, signal: AbortSignal): void {
    if (pending.answered) return
    if (!pending.sent) {
      this.#leave(pending, none(aborted('append', signal)))
      return
    }
    pending.caller = signal
    pending.leave?.()
    const late = (): void => this.#answered(pending, { result: 'unknown', error: abortedInFlight('append', signal) })
    this.#options.clock.setTimer(late, ABORT_MAX_MS)
  }

  #leave(pending: Pending, verdict: AppendVerdict): void {
    this.#queue.remove(pending)
    this.#answered(pending, verdict)
    this.#pumpSoon()
  }

  /** Resolves when everybody has been answered. */
  async drain(): Promise<void> {
    if (this.#isIdle) return
    await new Promise<void>((resolve) => this.#drained.push(resolve))
  }

  get #isIdle(): boolean {
    return this.#queue.length === 0 && this.#batches === 0 && this.#alone === 0
  }

  #answered(pending: Pending, verdict: AppendVerdict): void {
    if (pending.answered) return
    this.#options.tally.answered(pending.request, verdict)
    pending.settle(verdict)
  }

  #undecided(pending: Pending, why: Undecided): void {
    if (pending.answered) return
    if (pending.caller !== undefined) {
      this.#answered(pending, none(aborted('append', pending.caller)))
      return
    }
    const { clock } = this.#options
    const nowMs = clock.nowMs()
    if (why === 'busy') {
      if (nowMs >= pending.deadlineMs) {
        this.#answered(pending, none(streamBusy(pending.request, Math.round(pending.deadlineMs - pending.enteredMs))))
        return
      }
      pending.failure = undefined
      pending.busy += 1
      pending.notBeforeMs = nowMs + Math.min(PAUSE_MAX_MS, 2 ** pending.busy)
    }
    this.#returned.push(pending)
  }

  /** At the end of the turn: whoever is asked for in it travels along. */
  #pumpSoon(): void {
    if (this.#pumping || this.#batches >= BATCHES_MAX) return
    this.#pumping = true
    setImmediate(() => {
      this.#pumping = false
      this.#pump()
    })
  }

  #pump(): void {
    const nowMs = this.#options.clock.nowMs()
    while (this.#alone < ALONE_MAX && this.#queue.length > 0) {
      const alone = this.#queue.takeOne(nowMs, ({ busy }) => busy >= TRIES_MAX)
      if (alone === undefined) break
      this.#alone += 1
      void this.#fly(alone, true)
    }
    while (this.#batches < BATCHES_MAX && this.#queue.length > 0) {
      const batch = this.#queue.take(nowMs)
      if (batch === undefined) break
      this.#batches += 1
      void this.#fly(batch, false)
    }
    this.#pumpLater(nowMs)
    if (this.#isIdle) for (const resolve of this.#drained.splice(0)) resolve()
  }

  async #fly(batch: Batch, waits: boolean): Promise<void> {
    try {
      await this.#flights.fly(batch.requests, waits)
    } catch (error) {
      // What the server answered cannot be read: nobody knows what was written.
      for (const pending of batch.requests) this.#answered(pending, { result: 'unknown', error: error as HoldfastError })
    }
    this.#queue.release(batch)
    this.#queue.putBack(this.#returned.splice(0).filter(({ answered }) => !answered))
    if (waits) this.#alone -= 1
    else this.#batches -= 1
    this.#options.wrote()
    this.#pumpSoon()
  }

  /** Once for all who pause. */
  #pumpLater(nowMs: number): void {
    this.#pause?.clear()
    const nextMs = this.#queue.nextMs(nowMs)
    this.#pause = nextMs === undefined ? undefined : this.#options.clock.setTimer(() => this.#pumpSoon(), Math.max(1, nextMs - nowMs))
  }
}

export const streamBusy = ({ writes }: CheckedRequest, timeoutMs: number): HoldfastError =>
  refusal('STREAM_BUSY', `append: ${show(writes[0]?.stream)}, a tag or its key was held by others for ${timeoutMs} ms`, {
    details: { stream: writes[0]?.stream, timeoutMs },
  })
