import type { Clock } from '../../../core/clock.ts'
import { failedWith, succeeded } from '../../../core/effect.ts'
import { HoldfastError } from '../../../core/errors.ts'
import { uuidv7 } from '../../../core/ids.ts'
import type { Outcome } from '../../../core/outcome.ts'
import type { PgClient } from '../client/client.ts'
import { stateOf } from '../errors.ts'
import type { Names } from '../names.ts'
import { isContended, patiently, pause } from '../patience.ts'
import { statement } from '../statement.ts'

/**
 * Sends batches so that each of their requests gets a certain answer, also where a connection is lost. The batch's own transaction writes its
 * verdicts into the table `batch`, under the id that `send` is given, where it writes anything (see `migrations/0001-batch.ts`).
 */
export interface BatchesOptions<Request, Answer> {
  readonly client: PgClient
  readonly names: Names
  readonly clock: Clock
  /** One transaction. Rejects with effect none where all was rolled back, unknown where its answer was lost. */
  readonly send: (batchId: string, requests: readonly Request[]) => Promise<readonly Answer[]>
  /** The answers of a batch that turned out to be committed, from the verdicts in its row. */
  readonly recall: (requests: readonly Request[], verdicts: string) => Promise<readonly Answer[]>
  /** How long to go on asking what became of a batch, in milliseconds. */
  readonly settleMaxMs: number
}

const PAUSE_FIRST_MS = 10
const PAUSE_MAX_MS = 1_000
/** Also where there was no time left, what became of a batch is asked once. */
const CLAIM_LEAST_MS = 50
const KEPT = 'kept '
/** Batches between two removals of old rows. */
const PRUNED_EVERY = 2_000

/** The server would answer the same to each request of the batch. */
const ABOUT_ALL = /^(08|25|28|3D|42|53[13]|57P|58|HF)/

export class Batches<Request, Answer> {
  readonly #options: BatchesOptions<Request, Answer>
  readonly #claim
  readonly #prune
  #sent = 0

  constructor(options: BatchesOptions<Request, Answer>) {
    this.#options = options
    this.#claim = statement(`select ${options.names.of('batch_claim')}($1::text)`)
    this.#prune = statement(`select ${options.names.of('batch_prune')}()::text`)
  }

  /** Never rejects. */
  async run(requests: readonly Request[]): Promise<readonly Outcome<Answer>[]> {
    this.#tidy()
    return await this.#run(requests, this.#options.clock.nowMs() + this.#options.settleMaxMs)
  }

  async #run(requests: readonly Request[], untilMs: number): Promise<readonly Outcome<Answer>[]> {
    let id = ''
    try {
      const answers = await patiently(this.#options.clock, () => {
        id = uuidv7()
        return this.#options.send(id, requests)
      })
      return answers.map(succeeded)
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.effect === 'unknown') return await this.#settle(id, requests, untilMs, error)
      if (requests.length === 1 || !this.#isPart(error)) return requests.map(() => failedWith(error))
      const half = requests.length >> 1
      // One unfit request must not fail the others, nor a batch that is too much at once.
      return [...(await this.#run(requests.slice(0, half), untilMs)), ...(await this.#run(requests.slice(half), untilMs))]
    }
  }

  /** Whether it is about one request, or about so many of them. */
  #isPart(error: HoldfastError): boolean {
    const state = stateOf(error)
    return isContended(error) || (state !== undefined && !ABOUT_ALL.test(state))
  }

  async #settle(id: string, requests: readonly Request[], untilMs: number, lost: unknown): Promise<readonly Outcome<Answer>[]> {
    const { clock, recall } = this.#options
    for (let waitMs = PAUSE_FIRST_MS; ; waitMs = Math.min(waitMs * 2, PAUSE_MAX_MS)) {
      try {
        const answer = await this.#claimed(id, untilMs)
        if (answer.startsWith(KEPT)) return (await recall(requests, answer.slice(KEPT.length))).map(succeeded)
        if (clock.nowMs() < untilMs) return await this.#run(requests, untilMs)
        // Certainly not written, and no time left to try again.
        return requests.map(() => failedWith(asNone(lost)))
      } catch (error) {
        // The database cannot be reached yet, or the lost connection's transaction is still at work. What will not get better is not waited for.
        const hopeless = error instanceof HoldfastError && error.retry === 'never' && error.effect === 'none' && error.code !== 'ABORTED'
        if (hopeless || clock.nowMs() + waitMs >= untilMs) return requests.map(() => failedWith(lost))
      }
      await pause(clock, waitMs)
    }
  }

  async #claimed(id: string, untilMs: number): Promise<string> {
    const { clock, client } = this.#options
    const late = new AbortController()
    const bound = clock.setTimer(() => late.abort(), Math.max(CLAIM_LEAST_MS, untilMs - clock.nowMs()))
    try {
      const call = { call: 'settling a batch', writes: true, signal: late.signal }
      const [[answer] = []] = await client.query(this.#claim, [id], call)
      return answer ?? ''
    } finally {
      bound.clear()
    }
  }

  #tidy(): void {
    // The first time soon, so that processes that live short do it too.
    if (++this.#sent % PRUNED_EVERY !== 50) return
    const { client } = this.#options
    client.query(this.#prune, [], { call: 'removing old batches', writes: true }).catch(() => {
      // Of no consequence: it is tried again after some more.
    })
  }
}

const asNone = (error: unknown): HoldfastError =>
  new HoldfastError('STORAGE_UNAVAILABLE', `PostgreSQL did not write a batch: ${error instanceof Error ? error.message : String(error)}`, {
    effect: 'none',
    retry: 'later',
    cause: error,
  })
