import { setImmediate } from 'node:timers'
import type { Clock } from '../core/clock.ts'
import { HoldfastError, refusal } from '../core/errors.ts'
import type { Logger } from '../ports/logger.ts'
import type { SagaJournal, SagaVerdict, SagaWrite } from '../ports/saga-journal.ts'
import { Nap } from './nap.ts'
import { wasWritten } from './settle.ts'

const BATCH_MAX = 500
const RETRY_FIRST_MS = 50
const RETRY_MAX_MS = 5_000

interface Request {
  readonly write: SagaWrite
  readonly resolve: (verdict: SagaVerdict) => void
  readonly reject: (error: unknown) => void
}

export interface WriterOptions {
  readonly journal: SagaJournal
  readonly clock: Clock
  readonly logger: Logger
  /** How many writes may wait before the creation of another saga is refused. */
  readonly queued: number
  /** How many batches may be under way at once. */
  readonly inFlight: number
}

/**
 * Group commit: everything that sagas want written goes to the journal in as few appends as possible. No timer: what a turn of the event
 * loop brings goes out at its end if a place is free, and what comes meanwhile forms the next batch. A saga must have at most one write here at a
 * time, which is what keeps its records in order.
 */
export class JournalWriter {
  readonly #options: WriterOptions
  #queue: Request[] = []
  #underWay = 0
  #scheduled = false
  #failing = 0
  readonly #naps = new Set<Nap>()
  #closed = false

  constructor(options: WriterOptions) {
    this.#options = options
  }

  /** Whether an append has failed and is being tried again. */
  get isFailing(): boolean {
    return this.#failing > 0
  }

  /**
   * Resolves with the journal's verdict once it is certain. Rejects with `BULKHEAD_FULL` (effect none) when too much waits, with
   * `STORAGE_UNAVAILABLE` when the writer is closed before the journal answered, and with what the journal refused the write for.
   */
  append(write: SagaWrite): Promise<SagaVerdict> {
    if (this.#closed) return Promise.reject(unavailable('none'))
    // Sagas at work are bounded by their number; a refusal would only make them stop half-way.
    if (write.create !== undefined && this.#queue.length >= this.#options.queued) return Promise.reject(full(this.#options.queued))
    return new Promise((resolve, reject) => {
      this.#queue.push({ write, resolve, reject })
      this.#schedule()
    })
  }

  /** Gives up what waits; what was sent and not answered may have been written. */
  close(): void {
    this.#closed = true
    for (const { reject } of this.#queue.splice(0)) reject(unavailable('none'))
    for (const nap of this.#naps) nap.wake()
  }

  #schedule(): void {
    if (this.#scheduled || this.#underWay >= this.#options.inFlight) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#flush()
    })
  }

  #flush(): void {
    while (this.#queue.length > 0 && this.#underWay < this.#options.inFlight) {
      const batch = this.#queue.splice(0, BATCH_MAX)
      this.#underWay += 1
      void this.#send(batch).finally(() => {
        this.#underWay -= 1
        if (this.#queue.length > 0) this.#schedule()
      })
    }
  }

  async #send(batch: readonly Request[]): Promise<void> {
    try {
      const verdicts = await this.#options.journal.append(batch.map(({ write }) => write))
      batch.forEach(({ resolve, reject }, i) => {
        const verdict = verdicts[i]
        if (verdict === undefined) reject(noVerdict())
        else resolve(verdict)
      })
    } catch (error) {
      await this.#recover(batch, error)
    }
  }

  /** Nothing is known of the batch: each write is settled by what the journal holds, and sent again if it is not there. */
  async #recover(batch: readonly Request[], error: unknown): Promise<void> {
    if (isHopeless(error)) {
      // One bad request must not fail its neighbours: each goes alone.
      const [only] = batch
      if (batch.length > 1) for (const request of batch) await this.#send([request])
      else only?.reject(error)
      return
    }
    this.#failing += 1
    this.#options.logger.warn({ error, writes: batch.length }, 'the saga journal did not answer an append; settling it by reading')
    try {
      await this.#settle(batch, error)
    } finally {
      this.#failing -= 1
    }
  }

  async #settle(batch: readonly Request[], first: unknown): Promise<void> {
    const { journal } = this.#options
    let open = batch
    let error = first
    for (let round = 0; open.length > 0; round++) {
      await this.#pause(round)
      if (this.#closed) break
      try {
        const verdicts = await journal.append(open.map(({ write }) => write))
        const unsettled: Request[] = []
        for (const [i, request] of open.entries()) {
          const verdict = verdicts[i]
          // A conflict may be with the very records whose answer was lost, also where their append committed only after this one began.
          if (verdict?.ok === false && (await wasWritten(journal, request.write))) request.resolve({ ok: true })
          else if (verdict !== undefined) request.resolve(verdict)
          else unsettled.push(request)
        }
        open = unsettled
      } catch (again) {
        error = again
      }
    }
    for (const { reject } of open) reject(unavailable('unknown', error))
  }

  async #pause(round: number): Promise<void> {
    const nap = new Nap(this.#options.clock)
    this.#naps.add(nap)
    if (!this.#closed) await nap.sleep(Math.min(RETRY_FIRST_MS * 2 ** Math.min(round, 20), RETRY_MAX_MS))
    this.#naps.delete(nap)
  }
}

/** The journal says that this can never be written, and that nothing was. */
const isHopeless = (error: unknown): boolean =>
  error instanceof HoldfastError && error.effect === 'none' && error.retry === 'never' && error.code !== 'NOT_STARTED'

const unavailable = (effect: 'none' | 'unknown', cause?: unknown): HoldfastError =>
  refusal('STORAGE_UNAVAILABLE', 'the saga engine was stopped before the journal answered', { effect, cause })

const full = (queued: number): HoldfastError =>
  refusal('BULKHEAD_FULL', `the saga journal: ${queued} writes wait already`, { retryAfterMs: RETRY_FIRST_MS })

const noVerdict = (): HoldfastError =>
  new HoldfastError('STORAGE_CORRUPT', 'the saga journal answered an append with fewer verdicts than writes')
