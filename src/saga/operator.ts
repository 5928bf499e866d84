import type { SagaHead, SagaJournal } from '../ports/saga-journal.ts'
import { notFound, ownedElsewhere, refusedNow } from './errors.ts'
import type { Job } from './job.ts'
import { isPastPivot } from './next-act.ts'
import type { SagaPlan } from './plan.ts'
import type { SagaRun } from './run.ts'
import type { Tenure } from './tenure.ts'

/** What the operator needs of the engine. */
export interface OperatorSite {
  readonly settings: { readonly journal: SagaJournal }
  readonly leases: { tenureOf(shard: number): Tenure | undefined }
  readonly jobs: Map<string, Job>
  readonly isStopping: boolean
  jobFor(head: SagaHead, plan: SagaPlan, tenure: Tenure): Job
  enqueue(job: Job, priority: number): void
}

type Said = Pick<SagaRun, 'progress' | 'plan' | 'note'>

/** What people may have a saga do: each verb is a record, written by the process that owns the saga. */
export class Operator {
  readonly #site: OperatorSite
  readonly #plans: ReadonlyMap<string, SagaPlan>

  constructor(site: OperatorSite, plans: ReadonlyMap<string, SagaPlan>) {
    this.#site = site
    this.#plans = plans
  }

  cancel(name: string, id: string, reason: string): Promise<void> {
    return this.#tell(name, id, ({ progress, plan, note }) => {
      if (progress.finished === 'done') throw refusedNow(name, id, 'cancelled', 'it is done')
      if (progress.finished === 'undone' || progress.cause !== null) return
      if (isPastPivot(plan.steps, progress)) throw refusedNow(name, id, 'cancelled', 'its pivot has begun')
      if (progress.parked !== null) throw refusedNow(name, id, 'cancelled', `it is stuck (${progress.parked.reason})`)
      note('cancelled', null, { reason })
    })
  }

  retry(id: string, reason: string | undefined): Promise<void> {
    return this.#tell(undefined, id, ({ progress, plan, note }) => {
      if (progress.parked === null) throw refusedNow(plan.name, id, 'retried', `it is ${progress.state}, not stuck`)
      note('retried', null, reason === undefined ? {} : { reason })
    })
  }

  skip(id: string, reason: string): Promise<void> {
    return this.#tell(undefined, id, ({ progress, plan, note }) => {
      const { open } = progress
      if (progress.parked === null) throw refusedNow(plan.name, id, 'skipped', `it is ${progress.state}, not stuck`)
      const step = plan.steps.find(({ name }) => name === open?.step)
      if (open === null || step === undefined) throw refusedNow(plan.name, id, 'skipped', 'it is not stuck at a step')
      if (step.kind === 'pivot')
        throw refusedNow(
          plan.name,
          id,
          'skipped',
          `whether its pivot ${step.name} took effect has to be found out: retry() asks it again with the same idempotency key`,
        )
      note('skipped', step.name, { reason })
    })
  }

  async #tell(name: string | undefined, id: string, say: (run: Said) => void): Promise<void> {
    const going = await this.#atWork(id)
    const job = going ?? (await this.#takeOn(name, id))
    const isNew = going === undefined && !this.#site.jobs.has(id)
    if (isNew) this.#site.jobs.set(id, job)
    try {
      const run = await job.run()
      if (name !== undefined && run.plan.name !== name) throw notFound(name, id)
      say({ progress: run.progress, plan: run.plan, note: (kind, step, data) => run.note(kind, step, data) })
      if (!(await run.flush())) throw ownedElsewhere(run.plan.name, id)
      run.wake()
    } catch (error) {
      if (isNew) this.#site.jobs.delete(id)
      if (isNew) job.end()
      throw error
    }
    if (isNew) this.#site.enqueue(job, 1)
  }

  /** The job of a saga that is going on here; one that is being parked is waited for. */
  async #atWork(id: string): Promise<Job | undefined> {
    const { jobs } = this.#site
    const job = jobs.get(id)
    if (job === undefined || (await job.run()).progress.parked === null) return job
    await new Promise<void>((resolve) => job.whenOver(resolve))
    if (jobs.get(id) === job) jobs.delete(id)
    return undefined
  }

  async #takeOn(name: string | undefined, id: string): Promise<Job> {
    const { settings, leases, jobs } = this.#site
    const head = await settings.journal.head(id)
    const plan = head === undefined ? undefined : this.#plans.get(head.saga)
    if (head === undefined || plan === undefined || (name !== undefined && head.saga !== name)) throw notFound(name ?? 'of any kind', id)
    if (head.definitionHash !== plan.hash) throw refusedNow(plan.name, id, 'continued', 'its definition is not the one it was started with')
    const tenure = leases.tenureOf(head.shard)
    if (tenure === undefined || this.#site.isStopping) throw ownedElsewhere(plan.name, id)
    return jobs.get(id) ?? this.#site.jobFor(head, plan, tenure)
  }
}
