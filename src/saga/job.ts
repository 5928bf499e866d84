import type { Progress } from './progress.ts'
import type { SagaRun } from './run.ts'
import type { Tenure } from './tenure.ts'

/** A saga that this process has taken on: waiting for its turn, or running. Read from the journal when it is needed, not before. */
export class Job {
  /** The definition's name. */
  readonly saga: string
  readonly id: string
  readonly tenure: Tenure
  readonly #load: () => Promise<SagaRun>
  readonly #waiting = new Set<() => void>()
  #loading: Promise<SagaRun> | null = null
  #run: SagaRun | null = null
  #leaving: 'drop' | 'drain' | null = null
  #over = false

  constructor(saga: string, id: string, tenure: Tenure, load: () => Promise<SagaRun>) {
    this.saga = saga
    this.id = id
    this.tenure = tenure
    this.#load = load
  }

  /** Where the saga stands, if it ended, or was parked, here. */
  get ending(): Progress | undefined {
    return this.#over ? this.#run?.ending : undefined
  }

  /** Calls `told` when this process is done with the saga, or has let go of it. Returns the function that stops waiting. */
  whenOver(told: () => void): () => void {
    if (this.#over) told()
    else this.#waiting.add(told)
    return () => void this.#waiting.delete(told)
  }

  run(): Promise<SagaRun> {
    this.#loading ??= this.#load().then((run) => {
      this.#run = run
      this.#leave(run)
      return run
    })
    return this.#loading
  }

  drop(): void {
    this.#leaving = 'drop'
    if (this.#run !== null) this.#leave(this.#run)
  }

  drain(): void {
    this.#leaving ??= 'drain'
    if (this.#run !== null) this.#leave(this.#run)
  }

  /** Rejects when the saga cannot be read. */
  async work(): Promise<void> {
    try {
      if (this.#leaving === null || this.#run !== null) await (await this.run()).work()
    } finally {
      this.end()
    }
  }

  /** Tells those who wait that nothing more happens here. */
  end(): void {
    this.#over = true
    for (const told of [...this.#waiting]) told()
    this.#waiting.clear()
  }

  #leave(run: SagaRun): void {
    if (this.#leaving === 'drop') run.drop()
    if (this.#leaving === 'drain') run.drain()
  }
}
