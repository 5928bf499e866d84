import { HoldfastError } from '../../../core/errors.ts'
import type { SagaVerdict } from '../../../ports/saga-journal.ts'
import { Group } from '../../sql-shared/group.ts'
import { corrupt } from '../errors.ts'
import { escaped } from '../escapes.ts'
import { Batches } from '../group/batches.ts'
import type { PgSession } from '../session.ts'
import { arrayText } from '../statement.ts'
import { parameters, type SentWrite } from './encode.ts'
import { asHead, type JournalQueries } from './queries.ts'

const BATCH_MAX = 500
/** Some megabytes of text. */
const WEIGHT_MAX = 4_000_000
const IN_FLIGHT = 2
const QUEUED = 20_000

/** The writes of all sagas of this process on their way. Each id is in one batch at a time, once, so that its writes keep their order. */
export class Appends {
  readonly #session: PgSession
  readonly #queries: JournalQueries
  readonly #group: Group<SentWrite, SagaVerdict>

  constructor(session: PgSession, queries: JournalQueries, settleMaxMs: number) {
    this.#session = session
    this.#queries = queries
    const { client, names, clock } = session
    const batches = new Batches<SentWrite, SagaVerdict>({
      client,
      names,
      clock,
      settleMaxMs,
      send: (batchId, writes) => this.#send(batchId, writes),
      recall: (writes, verdicts) => this.#verdicts(writes, verdicts),
    })
    this.#group = new Group({
      call: 'append',
      engine: 'PostgreSQL',
      keysOf: ({ id }) => [id],
      alone: true,
      weightOf: ({ weight }) => weight,
      send: (writes) => batches.run(writes),
      batchMax: BATCH_MAX,
      weightMax: WEIGHT_MAX,
      inFlight: IN_FLIGHT,
      queued: QUEUED,
    })
  }

  add(write: SentWrite, signal: AbortSignal | undefined): Promise<SagaVerdict> {
    return this.#group.add(write, signal)
  }

  open(): void {
    this.#group.reopen()
  }

  /** Resolves when what waits and what is in flight has been answered. */
  close(): Promise<void> {
    return this.#group.close()
  }

  async #send(batchId: string, writes: readonly SentWrite[]): Promise<readonly SagaVerdict[]> {
    const [[letters] = []] = await this.#session.client.query(this.#queries.append, parameters(batchId, writes), {
      call: 'append',
      writes: true,
    })
    try {
      return await this.#verdicts(writes, letters ?? '')
    } catch (error) {
      // The batch is committed; only what it was answered is not known yet.
      throw new HoldfastError('STORAGE_UNAVAILABLE', 'the answer to a batch could not be read', {
        effect: 'unknown',
        retry: 'later',
        cause: error,
      })
    }
  }

  async #verdicts(writes: readonly SentWrite[], letters: string): Promise<readonly SagaVerdict[]> {
    const taken = writes.filter((_, i) => letters[i] === 'x').map(({ id }) => escaped(id))
    const rows =
      taken.length === 0 ? [] : await this.#session.client.query(this.#queries.heads, [arrayText(taken)], { call: 'append', writes: false })
    const heads = new Map(rows.map(asHead).map((head) => [head.id, head]))
    return writes.map(({ id }, i) => {
      const letter = letters[i]
      const head = heads.get(id)
      if (letter === 'o') return { ok: true }
      if (letter === 'f') return { ok: false, reason: 'fenced' }
      if (letter === 'c') return { ok: false, reason: 'conflict' }
      if (letter === 'x' && head !== undefined) return { ok: false, reason: 'exists', head }
      throw corrupt(`it answered ${JSON.stringify(letters)} to a batch of ${writes.length}`)
    })
  }
}
