import { setImmediate } from 'node:timers'
import type { Timer } from '../../../core/clock.ts'
import { type HoldfastError, refusal } from '../../../core/errors.ts'
import type { AppendVerdict } from '../../../ports/event-store.ts'
import type { CheckedRequest } from '../../event-shared/checked.ts'
import { isLocked } from '../errors.ts'
import type { Opened, Session } from '../session.ts'
import { unwritten } from './judge.ts'
import type { Tally } from './tally.ts'
import { LogWriter, settleCommit, type WriterOptions } from './writer.ts'

// Taken once: a fake timer in its place would stop all writing.
const turn = setImmediate

/** What travels in one transaction at most, so that the event loop is free again within some 20 ms; one request may have more. */
const REQUESTS_MAX = 256
const EVENTS_MAX = 2_000
const SIZE_MAX = 4_194_304
/** What waits at most, in characters of JSON; the requests are an option. */
const WAITING_SIZE_MAX = 67_108_864

export interface Entry {
  readonly request: CheckedRequest
  readonly sinceMs: number
  readonly untilMs: number
  readonly timeoutMs: number
  readonly settle: (verdict: AppendVerdict) => void
}

export interface CommitterOptions {
  readonly session: Session
  readonly tally: Tally
  readonly waitingMax: number
  readonly times: () => WriterOptions
}

/**
 * Writes appends: whatever has been asked for within one turn of the event loop, or while a batch could not begin, travels in one transaction with
 * one fsync, each decided in the order of arrival. A batch that the engine refuses is tried again in halves, until the request that is to
 * blame stands alone.
 */
export class Committer {
  readonly #options: CommitterOptions
  readonly #waiting: Entry[] = []
  #waitingSize = 0
  /** How many requests the next batch may have: fewer after a failure. */
  #most = REQUESTS_MAX
  #flushing: Promise<void> | undefined
  #timer: Timer | undefined
  /** When the timer fires; there is one only while something waits for more than its turn. */
  #armedMs = Number.NEGATIVE_INFINITY

  constructor(options: CommitterOptions) {
    this.#options = options
  }

  get waiting(): number {
    return this.#waiting.length
  }

  /** When the one that has waited longest came. */
  get oldestMs(): number | undefined {
    return this.#waiting[0]?.sinceMs
  }

  add(entry: Entry): void {
    const { waitingMax } = this.#options
    if (this.#waiting.length >= waitingMax || this.#waitingSize + entry.request.size > WAITING_SIZE_MAX) {
      entry.settle(unwritten(full(waitingMax)))
      return
    }
    this.#waiting.push(entry)
    this.#waitingSize += entry.request.size
    this.#flushing ??= this.#flush()
    if (entry.untilMs < this.#armedMs) this.#arm()
  }

  /** Takes a request back that has not been written. */
  remove(entry: Entry): boolean {
    const at = this.#waiting.indexOf(entry)
    if (at < 0) return false
    this.#forget(at, 1)
    return true
  }

  /** Resolves when nothing waits any more. */
  async drained(): Promise<void> {
    while (this.#flushing !== undefined) await this.#flushing
  }

  async #flush(): Promise<void> {
    do {
      await new Promise((resolve) => turn(resolve))
      const attempt = this.#options.session.attempt('append', (opened) => this.#attempt(opened))
      this.#arm()
      await attempt
      this.#arm()
    } while (this.#waiting.length > 0)
    this.#flushing = undefined
  }

  /** While something waits, whoever has waited for too long is told so. */
  #arm(): void {
    this.#timer?.clear()
    this.#armedMs = Number.NEGATIVE_INFINITY
    if (this.#waiting.length === 0) return
    const { clock } = this.#options.session
    this.#armedMs = this.#waiting.reduce((least, { untilMs }) => Math.min(least, untilMs), Number.POSITIVE_INFINITY)
    this.#timer = clock.setTimer(() => this.#expire(), Math.max(0, this.#armedMs - clock.nowMs()))
  }

  #expire(): void {
    const nowMs = this.#options.session.clock.nowMs()
    for (const entry of this.#waiting.filter(({ untilMs }) => untilMs <= nowMs)) {
      this.remove(entry)
      entry.settle(unwritten(late(this.#options.session.place, entry)))
    }
    this.#arm()
  }

  /** One batch. Throws only what the lane tries again. */
  #attempt(opened: Opened): void {
    const batch = this.#next()
    if (batch.length === 0) return
    try {
      this.#commit(opened, batch)
      this.#most = REQUESTS_MAX
    } catch (error) {
      if (isLocked(error)) throw error
      this.#failed(batch, error as HoldfastError)
    }
  }

  #next(): readonly Entry[] {
    let events = 0
    let size = 0
    const past = this.#waiting.findIndex(({ request }, i) => {
      events += request.writes.reduce((sum, write) => sum + write.events.length, 0)
      size += request.size
      return i > 0 && (i >= this.#most || events > EVENTS_MAX || size > SIZE_MAX)
    })
    return this.#waiting.slice(0, past < 0 ? this.#waiting.length : past)
  }

  #commit({ connection, log }: Opened, batch: readonly Entry[]): void {
    const { tally, times, session } = this.#options
    let writer: LogWriter | undefined
    let verdicts: readonly AppendVerdict[] = []
    try {
      connection.write(() => {
        writer = new LogWriter(log, times())
        verdicts = writeAll(writer, batch)
      })
    } catch (error) {
      if (writer === undefined) throw error
      settleCommit(log, writer, error as HoldfastError)
    }
    this.#forget(0, batch.length)
    tally.batch(writer?.events ?? 0, verdicts)
    if (writer !== undefined && writer.events > 0) session.changes.ring()
    for (const [i, { settle }] of batch.entries()) settle(verdicts[i] as AppendVerdict)
  }

  /** Half of them next time; one alone is answered what the engine said. */
  #failed(batch: readonly Entry[], error: HoldfastError): void {
    if (batch.length > 1 && error.effect === 'none') {
      this.#most = Math.ceil(batch.length / 2)
      return
    }
    this.#forget(0, batch.length)
    const verdict: AppendVerdict = { result: error.effect, error }
    this.#options.tally.batch(
      0,
      batch.map(() => verdict),
    )
    for (const { settle } of batch) settle(verdict)
  }

  #forget(from: number, count: number): void {
    for (const { request } of this.#waiting.splice(from, count)) this.#waitingSize -= request.size
  }
}

function writeAll(writer: LogWriter, batch: readonly Entry[]): readonly AppendVerdict[] {
  const verdicts = batch.map(({ request }) => writer.decide(request))
  writer.finish()
  return verdicts
}

const full = (waitingMax: number): HoldfastError =>
  refusal('QUEUE_FULL', `append: ${waitingMax} requests (appendsQueued), or 64 MiB of them, wait to be written already`, {
    details: { appendsQueued: waitingMax },
  })

const late = (place: string, { timeoutMs }: Entry): HoldfastError =>
  refusal('STORAGE_LOCKED', `append: not written within ${timeoutMs} ms (timeoutMs), while others held the lock of ${place}`, {
    details: { place, timeoutMs },
  })
