import { HoldfastError, refusal } from '../core/errors.ts'
import { checkOptions } from '../core/options.ts'
import { any, durationMs, optional } from '../core/rules.ts'
import type { SagaState } from '../ports/saga-journal.ts'
import { notFound, notStarted } from './errors.ts'
import type { Live } from './live.ts'
import { type Progress, replay } from './progress.ts'
import { decode } from './records.ts'
import { restoreError } from './stored-error.ts'
import { type TimelineEntry, timeline } from './timeline.ts'
import { abortedBy, after, until, whenAborted } from './until.ts'

export interface SagaStatus {
  /** `done` and `undone` are ends; `stuck` waits for an operator. */
  readonly state: SagaState
  /** The step of the last record that belongs to one. */
  readonly step?: string
}

export interface ResultOptions {
  /** How long to wait, in milliseconds, at least 0; default without limit. The saga goes on. */
  readonly timeoutMs?: number
  /** Ends the wait, not the saga. */
  readonly signal?: AbortSignal
}

/** One saga, by id; cheap, and of use in any process that has the definition registered. */
export interface SagaHandle<O> {
  readonly id: string
  /**
   * Waits for the end and resolves with what the definition returns.
   *
   * Waiting for a saga that this process runs costs no reading; for any other the journal is asked every `scanMs`.
   *
   * @throws {HoldfastError} `SAGA_UNDONE` (effect none, retry never; `cause`: the error of the step, `details.step`, or `details.reason` of a
   * cancel) · `SAGA_STUCK` (effect unknown, retry never; `details.step`, `details.reason`) · `WAIT_TIMEOUT`, `ABORTED` (effect unknown: the
   * saga goes on) · `SAGA_NOT_FOUND` (effect none) · `NOT_STARTED` (effect none) when the engine is not started, or stops while waiting.
   */
  result(options?: ResultOptions): Promise<O>
  /** Where it stands, from the journal. @throws {HoldfastError} `SAGA_NOT_FOUND` (effect none). */
  status(): Promise<SagaStatus>
  /**
   * Has the saga undone; resolves when that is recorded. The attempt under way, if any, is waited for. Does nothing more to a saga that is being, or
   * has been, undone.
   *
   * @throws {HoldfastError} `DECLINED` (effect none, retry never) once the pivot has begun, when it is done, or stuck · `STORAGE_LOCKED`
   * (effect none, retry later) when another process owns it · `SAGA_NOT_FOUND` (effect none).
   */
  cancel(reason: string): Promise<void>
  /** Its records, oldest first. @throws {HoldfastError} `SAGA_NOT_FOUND` (effect none). */
  timeline(): Promise<readonly TimelineEntry[]>
}

const isSignal = (value: unknown): boolean => value instanceof AbortSignal

const resultRules = {
  timeoutMs: optional(durationMs({ default: 0 })),
  signal: optional(any<AbortSignal>('an AbortSignal', isSignal, undefined as never)),
}

/** Asks the engine that is running; `live` throws `NOT_STARTED` where none is. */
export class Handle<O> implements SagaHandle<O> {
  readonly id: string
  readonly #name: string
  readonly #live: () => Live

  constructor(name: string, id: string, live: () => Live) {
    this.#name = name
    this.id = id
    this.#live = live
  }

  async result(options?: ResultOptions): Promise<O> {
    const { timeoutMs, signal } = checkOptions(`saga ${this.#name}: result`, options, resultRules)
    const { clock } = this.#live().settings
    const untilMs = timeoutMs === undefined ? Number.POSITIVE_INFINITY : clock.nowMs() + timeoutMs
    for (;;) {
      if (signal?.aborted) throw abortedBy(signal, 'unknown')
      const live = this.#live()
      const ending = live.jobs.has(this.id) ? undefined : await this.#stored(live)
      if (ending !== undefined) return this.#answer(ending)
      const job = live.jobs.get(this.id)
      if (job !== undefined && job.saga !== this.#name) throw notFound(this.#name, this.id)
      const why = await until<'over' | 'poll' | 'late' | 'aborted' | 'stopped'>([
        (end) => (job === undefined ? () => {} : job.whenOver(() => end('over'))),
        ...(job === undefined ? [after(clock, live.settings.scanMs, 'poll')] : []),
        ...(untilMs === Number.POSITIVE_INFINITY ? [] : [after(clock, Math.max(0, untilMs - clock.nowMs()), 'late')]),
        ...(signal === undefined ? [] : [whenAborted(signal, 'aborted')]),
        (end) => {
          const told = (): void => end('stopped')
          live.leaving.add(told)
          return () => void live.leaving.delete(told)
        },
      ])
      if (why === 'late') throw waitedTooLong(this.#name, this.id, timeoutMs as number)
      if (why === 'stopped')
        throw notStarted(`the saga engine was stopped; saga ${this.#name} ${this.id} continues when it is started again`)
      if (why === 'over' && job?.ending !== undefined) return this.#answer(job.ending)
    }
  }

  async status(): Promise<SagaStatus> {
    const { state, step } = await this.#progress(this.#live())
    return step === null ? { state } : { state, step }
  }

  async cancel(reason: string): Promise<void> {
    checkOptions(`saga ${this.#name}: cancel`, { reason }, { reason: any('a text of 1 to 2,000 characters', isReason, '') })
    await this.#live().operator.cancel(this.#name, this.id, reason)
  }

  async timeline(): Promise<readonly TimelineEntry[]> {
    const { journal } = this.#live().settings
    await this.#head(this.#live())
    return timeline(this.id, await journal.read(this.id))
  }

  /** Its end, or its being stuck, if that is what the journal says. */
  async #stored(live: Live): Promise<Progress | undefined> {
    const { state } = await this.#head(live)
    return state === 'running' || state === 'undoing' ? undefined : this.#progress(live)
  }

  async #head(live: Live): Promise<{ readonly state: SagaState }> {
    const head = await live.settings.journal.head(this.id)
    if (head === undefined || head.saga !== this.#name) throw notFound(this.#name, this.id)
    return head
  }

  async #progress(live: Live): Promise<Progress> {
    await this.#head(live)
    return replay((await live.settings.journal.read(this.id)).map((record) => decode(this.id, record)))
  }

  #answer(progress: Progress): O {
    if (progress.finished === 'done') return progress.output as O
    const about = `saga ${this.#name} ${this.id}`
    if (progress.finished === 'undone') throw undone(about, progress)
    throw stuck(about, progress)
  }
}

export const isReason = (value: unknown): boolean => typeof value === 'string' && value.length > 0 && value.length <= 2_000

function undone(about: string, { cause }: Progress): HoldfastError {
  const { step, error, reason } = cause ?? {}
  const why = step === undefined ? `it was cancelled: ${reason}` : `step ${step} failed: ${error?.message}`
  return new HoldfastError('SAGA_UNDONE', `${about} was undone: ${why}`, {
    effect: 'none',
    details: step === undefined ? { reason } : { step },
    cause: error === undefined ? undefined : restoreError(error),
  })
}

function stuck(about: string, { parked }: Progress): HoldfastError {
  const { step, reason, error } = parked ?? { step: null, reason: 'unknown' }
  return new HoldfastError('SAGA_STUCK', `${about} is stuck: ${reason}${error === undefined ? '' : ` (${error.message})`}`, {
    details: step === null ? { reason } : { step, reason },
    cause: error === undefined ? undefined : restoreError(error),
  })
}

const waitedTooLong = (name: string, id: string, timeoutMs: number): HoldfastError =>
  refusal('WAIT_TIMEOUT', `saga ${name} ${id} has not ended within ${timeoutMs} ms; it goes on`, { effect: 'unknown' })
