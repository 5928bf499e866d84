import PQueue from 'p-queue'
import { HoldfastError } from '../core/errors.ts'
import type { Emitter } from '../core/events.ts'
import type { SagaHead } from '../ports/saga-journal.ts'
import { type Birth, birthWrite, isSame } from './birth.ts'
import type { EngineSettings } from './engine-options.ts'
import { idReused, notStarted } from './errors.ts'
import { Job } from './job.ts'
import { JournalWriter } from './journal-writer.ts'
import { LeaseKeeper } from './lease-keeper.ts'
import { Nap } from './nap.ts'
import { Operator } from './operator.ts'
import type { SagaPlan } from './plan.ts'
import { Progress, replay } from './progress.ts'
import { decode } from './records.ts'
import { Recovery } from './recovery.ts'
import { type RunSite, SagaRun } from './run.ts'
import { announce, type SagaEvents } from './saga-events.ts'
import type { Tenure } from './tenure.ts'

const BATCHES_IN_FLIGHT = 2
/** How many sagas may be about to be created; the next is refused. */
const WRITES_QUEUED = 10_000
/** How long a stop waits, beyond `drainMs`, for attempts that were aborted and for the journal. */
const GRACE_MS = 1_000

/** The engine between a start and a stop: what it has taken on, and who works on it. */
export class Live {
  readonly settings: EngineSettings
  readonly writer: JournalWriter
  readonly leases: LeaseKeeper
  readonly operator: Operator
  readonly jobs = new Map<string, Job>()
  /** Told once, when the engine stops. */
  readonly leaving = new Set<() => void>()
  /** Names of sagas that were found in the journal and are not registered here. */
  readonly unregistered = new Set<string>()
  readonly #plans: ReadonlyMap<string, SagaPlan>
  readonly #events: Emitter<SagaEvents>
  readonly #recovery: Recovery
  readonly #queue: PQueue
  readonly #site: RunSite
  #stopping = false

  constructor(settings: EngineSettings, plans: ReadonlyMap<string, SagaPlan>, events: Emitter<SagaEvents>, owner: string) {
    this.settings = settings
    this.#plans = plans
    this.#events = events
    this.#queue = new PQueue({ concurrency: settings.concurrent })
    this.writer = new JournalWriter({ ...settings, queued: WRITES_QUEUED, inFlight: BATCHES_IN_FLIGHT })
    this.leases = new LeaseKeeper({
      ...settings,
      owner,
      gained: (tenure) => this.#recovery.gained(tenure),
      lost: (tenure) => this.#lost(tenure),
    })
    this.#recovery = new Recovery({
      ...settings,
      tenures: () => this.leases.tenures,
      room: () => settings.queued - this.#queue.size,
      has: (id) => this.jobs.has(id),
      adopt: (head, tenure) => this.#adopt(head, tenure),
    })
    this.operator = new Operator(this, plans)
    this.#site = {
      ...settings,
      writer: this.writer,
      durable: (run, entries) => announce(this.#events, run.plan.name, run.id, entries),
      refused: (run, reason) => this.#refused(run, reason),
    }
  }

  get isStopping(): boolean {
    return this.#stopping
  }

  endIntake(): void {
    this.#stopping = true
  }

  /** @throws {HoldfastError} `NOT_STARTED` (effect none) once the engine is stopping. */
  checkIntake(): void {
    if (this.#stopping) throw notStarted('the saga engine is stopping')
  }

  async start(signal?: AbortSignal): Promise<void> {
    await this.settings.journal.open(signal)
    await this.leases.start(signal)
  }

  /** Resolves when the saga is durable, whether it was there before or not. */
  async create(birth: Birth): Promise<void> {
    const owned = this.leases.tenureOf(birth.shard)
    const first = birthWrite(birth, owned !== undefined && this.#hasSlot ? owned : undefined)
    let { entries, progress } = first
    let verdict = await this.writer.append(first.write)
    if (!verdict.ok && verdict.reason === 'fenced') {
      this.leases.check()
      const second = birthWrite(birth, undefined)
      ;({ entries, progress } = second)
      verdict = await this.writer.append(second.write)
    }
    if (!verdict.ok) {
      if (verdict.reason !== 'exists' || !isSame(birth, verdict.head))
        throw idReused(birth.plan.name, birth.id, verdict.reason === 'exists' ? verdict.head.saga : birth.plan.name)
      return
    }
    announce(this.#events, birth.plan.name, birth.id, entries)
    const tenure = this.leases.tenureOf(birth.shard)
    if (tenure === undefined || tenure !== owned || this.#stopping || this.jobs.has(birth.id)) return
    if (this.#queue.size >= this.settings.queued) this.#recovery.leftBehind()
    else
      this.enqueue(
        new Job(birth.plan.name, birth.id, tenure, async () => this.#run(birth.plan, birth.id, tenure, progress, entries.length)),
      )
  }

  /** A saga of the journal, to be read when its turn comes. */
  jobFor(head: SagaHead, plan: SagaPlan, tenure: Tenure): Job {
    return new Job(head.saga, head.id, tenure, async () => {
      if (head.definitionHash !== plan.hash) return this.#mismatched(head, plan, tenure)
      const records = await this.settings.journal.read(head.id)
      const progress = replay(records.map((record) => decode(head.id, record)))
      const run = this.#run(plan, head.id, tenure, progress, records.length)
      if (progress.open !== null && progress.parked === null && progress.finished === null) run.note('resumed', progress.open.step, {})
      return run
    })
  }

  enqueue(job: Job, priority = 0): void {
    this.jobs.set(job.id, job)
    const work = async (): Promise<void> => {
      try {
        await job.work()
      } catch (error) {
        this.settings.logger.error({ error, id: job.id }, 'a saga could not be read; trying again')
      }
      if (this.jobs.get(job.id) === job) this.jobs.delete(job.id)
      this.#recovery.roomFreed()
    }
    void this.#queue.add(work, { priority })
  }

  async stop(drainMs: number): Promise<void> {
    this.#stopping = true
    this.#recovery.stop()
    for (const job of this.jobs.values()) job.drain()
    await this.#idle(drainMs)
    this.leases.abandon(
      new HoldfastError('ABORTED', `the saga engine stopped and its ${drainMs} ms for running steps are over`, { retry: 'later' }),
    )
    await this.#idle(GRACE_MS)
    this.writer.close()
    await this.leases.stop()
    for (const told of [...this.leaving]) told()
  }

  get #hasSlot(): boolean {
    return this.#queue.size === 0 && this.#queue.pending < this.settings.concurrent && !this.#stopping
  }

  #run(plan: SagaPlan, id: string, tenure: Tenure, progress: Progress, seq: number): SagaRun {
    return new SagaRun(this.#site, plan, id, tenure, progress, seq)
  }

  #adopt(head: SagaHead, tenure: Tenure): void {
    const plan = this.#plans.get(head.saga)
    if (plan !== undefined) {
      this.enqueue(this.jobFor(head, plan, tenure))
      return
    }
    if (this.unregistered.has(head.saga) || this.unregistered.size >= 100) return
    this.unregistered.add(head.saga)
    this.settings.logger.warn(
      { saga: head.saga, id: head.id },
      'unfinished sagas of a definition that is not registered wait in the journal',
    )
  }

  /** Never replayed into different code: parked, for an operator, or for a process with the definition it began under. */
  #mismatched(head: SagaHead, plan: SagaPlan, tenure: Tenure): SagaRun {
    const run = this.#run(plan, head.id, tenure, new Progress(), head.seq)
    const { version } = plan.definition
    run.note('stuck', null, {
      reason: `it was started as version ${head.version} (${head.definitionHash}), registered is version ${version} (${plan.hash})`,
    })
    return run
  }

  #lost(tenure: Tenure): void {
    for (const job of this.jobs.values()) if (job.tenure === tenure) job.drop()
  }

  #refused(run: SagaRun, reason: 'fenced' | 'conflict'): void {
    this.settings.logger.warn({ saga: run.plan.name, id: run.id, reason }, 'the journal refused a write; this process lets go of the saga')
    if (reason === 'fenced') this.leases.check()
  }

  async #idle(limitMs: number): Promise<void> {
    if (limitMs === 0) return
    const nap = new Nap(this.settings.clock)
    void this.#queue.onIdle().then(() => nap.wake())
    if (this.#queue.size + this.#queue.pending > 0) await nap.sleep(limitMs)
  }
}
