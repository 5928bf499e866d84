import type { Clock } from '../core/clock.ts'
import { HoldfastError } from '../core/errors.ts'
import { toJson } from '../core/json.ts'
import type { Logger } from '../ports/logger.ts'
import type { SagaState } from '../ports/saga-journal.ts'
import { attempt } from './attempt.ts'
import { decide } from './decide.ts'
import type { Step } from './definition.ts'
import type { JournalWriter } from './journal-writer.ts'
import { Nap } from './nap.ts'
import { type Act, nextAct } from './next-act.ts'
import type { SagaPlan } from './plan.ts'
import type { Open, Progress } from './progress.ts'
import { type Entry, encode, type RecordData, type RecordKind } from './records.ts'
import { identityOf } from './stored-context.ts'
import { storeError } from './stored-error.ts'
import type { Tenure } from './tenure.ts'

/** What a run needs of its surroundings. */
export interface RunSite {
  readonly clock: Clock
  readonly logger: Logger
  readonly writer: JournalWriter
  /** How long our own policies may turn a step away before that counts as its failure, in milliseconds. */
  readonly refusedMaxMs: number
  /** How often an attempt may be cut off before its step counts as failed. */
  readonly interruptionsMax: number
  /** Told of records once they are durable. */
  readonly durable: (run: SagaRun, entries: readonly Entry[]) => void
  /** Told when the journal refused a write. */
  readonly refused: (run: SagaRun, reason: 'fenced' | 'conflict') => void
}

/**
 * One saga at work: records what it is about to do, does it, records what came of it, together with what it is about to do next. Ends
 * when the saga has ended or is parked, or when this process has to let go of it; whoever owns it next continues from the journal.
 */
export class SagaRun {
  readonly id: string
  readonly plan: SagaPlan
  readonly tenure: Tenure
  readonly progress: Progress
  readonly #site: RunSite
  readonly #context
  readonly #nap: Nap
  #pending: Entry[] = []
  #chain: Promise<boolean> = Promise.resolve(true)
  #seq: number
  #durable: SagaState | null = null
  #gone = false
  #draining = false
  #refusals = 0
  #refusedSinceMs = 0
  /** What parked it, with its stack, which the journal does not keep. */
  #parkedBy: unknown

  /** `seq`: that of the last record, which `progress` includes. */
  constructor(site: RunSite, plan: SagaPlan, id: string, tenure: Tenure, progress: Progress, seq: number) {
    this.#site = site
    this.plan = plan
    this.id = id
    this.tenure = tenure
    this.progress = progress
    this.#seq = seq
    this.#nap = new Nap(site.clock)
    this.#context = tenure.context.with(identityOf(id, progress.started))
  }

  /** Where the saga stands, once it has ended or is parked and that is durable. */
  get ending(): Progress | undefined {
    return this.#durable === 'done' || this.#durable === 'undone' || this.#durable === 'stuck' ? this.progress : undefined
  }

  /** Stops writing at once and leaves at the next chance: the lease is lost. */
  drop(): void {
    this.#gone = true
    this.#nap.wake()
  }

  /** Finishes the attempt under way and leaves. */
  drain(): void {
    this.#draining = true
    this.#nap.wake()
  }

  /** Adds a record; durable once `flush` has resolved to true. */
  note<K extends RecordKind>(kind: K, step: string | null, data: RecordData[K]): void {
    const entry = { kind, step, atEpochMs: this.#site.clock.epochMs(), data } as Entry
    this.progress.apply(entry)
    this.#pending.push(entry)
  }

  /** Resolves to whether everything noted before is durable. Rejects when the journal cannot tell. */
  flush(): Promise<boolean> {
    const flushed = this.#chain.then(() => this.#write())
    this.#chain = flushed.catch(() => false)
    return flushed
  }

  /** Cuts a wait short, so that what was noted from outside is acted on. */
  wake(): void {
    this.#nap.wake()
  }

  /** Never rejects. */
  async work(): Promise<void> {
    try {
      while (!this.#gone && (await this.#advance(nextAct(this.plan.steps, this.progress))));
    } catch (error) {
      this.#site.logger.error({ error, saga: this.plan.name, id: this.id }, 'a saga was let go; it continues from the journal')
    }
    this.#gone = true
    await this.#chain
  }

  /** Answers whether there is more to do here. */
  async #advance(act: Act): Promise<boolean> {
    switch (act.do) {
      case 'nothing':
        await this.flush()
        return false
      case 'begin':
        if (!this.#draining) this.note(act.direction === 'run' ? 'intent' : 'undo', act.step.name, {})
        else await this.flush()
        this.#refusals = 0
        return !this.#draining
      case 'close':
        this.note('failed', act.step.name, { effect: this.progress.open?.maybe ? 'unknown' : 'none', error: storeError(cut()) })
        return true
      case 'attempt':
        return this.#attempt(act.step, this.progress.open as Open)
      case 'complete':
        this.#complete()
        return true
      case 'endUndone':
        this.note('undone', null, {})
        return true
    }
  }

  async #attempt(step: Step, open: Open): Promise<boolean> {
    if (!(await this.flush()) || this.#draining || !this.tenure.isValid) return false
    // Cancelled, or parked, while the intent was being written.
    if (this.progress.open !== open || (this.progress.cause !== null && open.direction === 'run')) return true
    if (open.interruptions > this.#site.interruptionsMax) return this.#failed(step, open, interrupted(open.interruptions))
    const { plan, id, progress } = this
    const outcome = await attempt({ saga: plan.name, id, step, open, progress, context: this.#context })
    if (this.#gone) return false
    if (!outcome.ok) return this.#failed(step, open, outcome.error)
    if (open.direction === 'undo') this.note('undone', step.name, {})
    else this.note('result', step.name, outcome.value === undefined ? {} : { value: outcome.value })
    return true
  }

  async #failed(step: Step, open: Open, error: unknown): Promise<boolean> {
    const { clock, refusedMaxMs } = this.#site
    if (this.#refusals++ === 0) this.#refusedSinceMs = clock.nowMs()
    const decision = decide({
      step,
      open,
      retry: this.plan.retryOf(step, open.direction),
      error,
      nowEpochMs: clock.epochMs(),
      refusals: this.#refusals,
      refusedForMs: clock.nowMs() - this.#refusedSinceMs,
      refusedMaxMs,
    })
    if (decision.do !== 'wait') this.#refusals = 0
    switch (decision.do) {
      case 'park':
        this.#parkedBy = error
        this.note('stuck', step.name, { reason: decision.reason, error: storeError(error) })
        return true
      case 'fail':
        this.note('failed', step.name, { effect: decision.effect, error: storeError(error) })
        return true
      case 'retry':
        this.note('retry', step.name, { effect: decision.effect, error: storeError(error) })
        if (!(await this.flush())) return false
        break
      case 'wait':
        break
    }
    if (this.#isNeeded(open)) await this.#nap.sleep(decision.delayMs)
    return true
  }

  /** Whether what a wait is for is still to be done; a wait that nobody needs would hold up a cancel, or a stop. */
  #isNeeded(open: Open): boolean {
    return !this.#gone && !this.#draining && (this.progress.cause === null || open.direction === 'undo')
  }

  #complete(): void {
    const { name, output } = this.plan
    try {
      const value = output(this.progress.values)
      this.note('done', null, value === undefined ? {} : { output: JSON.parse(toJson(`saga ${name}: what returns() gave`, value)) })
    } catch (error) {
      this.#parkedBy = error
      this.note('stuck', null, { reason: 'returns() failed', error: storeError(error) })
    }
  }

  /** Nothing else tells an operator that a saga waits for one. */
  #logStuck(entries: readonly Entry[]): void {
    for (const { kind, step, data } of entries)
      if (kind === 'stuck')
        this.#site.logger.error(
          { saga: this.plan.name, id: this.id, step, reason: data.reason, err: this.#parkedBy },
          'a saga is stuck; it waits for sagas.retry() or sagas.skip()',
        )
  }

  async #write(): Promise<boolean> {
    if (this.#pending.length === 0) return !this.#gone
    if (this.#gone) return false
    const entries = this.#pending.splice(0)
    const records = entries.map((entry, i) => encode(entry, this.#seq + 1 + i))
    const { state } = this.progress
    const verdict = await this.#site.writer.append({ id: this.id, records, state, fence: this.tenure.fence })
    if (verdict.ok) {
      this.#seq += records.length
      this.#durable = state
      this.#site.durable(this, entries)
      this.#logStuck(entries)
      return true
    }
    this.drop()
    this.#site.refused(this, verdict.reason === 'fenced' ? 'fenced' : 'conflict')
    return false
  }
}

const cut = (): HoldfastError => new HoldfastError('ABORTED', 'the saga was cancelled before the step had ended')

const interrupted = (times: number): HoldfastError =>
  new HoldfastError('FAILED', `its attempts were cut off ${times} times: by a crash, a lost lease or a shutdown`)
