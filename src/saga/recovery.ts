import type { Clock, Timer } from '../core/clock.ts'
import type { Logger } from '../ports/logger.ts'
import type { SagaHead, SagaJournal } from '../ports/saga-journal.ts'
import type { Tenure } from './tenure.ts'

const PAGE = 500

export interface RecoveryOptions {
  readonly journal: SagaJournal
  readonly clock: Clock
  readonly logger: Logger
  readonly scanMs: number
  readonly tenures: () => readonly Tenure[]
  /** How many sagas this process can have waiting, and how many more it can take on now. */
  readonly queued: number
  readonly room: () => number
  readonly has: (id: string) => boolean
  readonly adopt: (head: SagaHead, tenure: Tenure) => void
}

/**
 * Finds the sagas that nobody works on: what a crash left behind, what another process started, what did not fit into memory. A scan that repeats,
 * page by page; a shard that was just gained, and a backlog, are read on at once.
 */
export class Recovery {
  readonly #options: RecoveryOptions
  /** Shard → the id after which to go on; absent for the beginning. */
  readonly #cursors = new Map<number, string>()
  #urgent = false
  #behind = false
  #scanning = false
  #timer: Timer | null = null
  #stopped = false

  constructor(options: RecoveryOptions) {
    this.#options = options
  }

  gained({ fence }: Tenure): void {
    this.#cursors.delete(fence.shard)
    this.#scanNow()
  }

  /** Some of the journal's backlog was left for want of room. */
  leftBehind(): void {
    this.#behind = true
  }

  /** A place became free. */
  roomFreed(): void {
    const { room, queued } = this.#options
    if (!this.#behind || this.#stopped || room() < Math.min(PAGE, queued / 2)) return
    this.#behind = false
    this.#scanNow()
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.clear()
  }

  #scanNow(): void {
    this.#urgent = true
    if (!this.#scanning) void this.#scan()
  }

  async #scan(): Promise<void> {
    this.#scanning = true
    this.#timer?.clear()
    try {
      do {
        const whole = this.#urgent
        this.#urgent = false
        for (const tenure of this.#options.tenures()) while ((await this.#page(tenure)) && whole);
      } while (this.#urgent && !this.#stopped)
    } catch (error) {
      if (!this.#stopped) this.#options.logger.warn({ error }, 'unfinished sagas could not be looked for; trying again')
    }
    this.#scanning = false
    if (!this.#stopped) this.#timer = this.#options.clock.setTimer(() => void this.#scan(), this.#options.scanMs, { background: true })
  }

  /** Answers whether there may be another page, and room for it. */
  async #page(tenure: Tenure): Promise<boolean> {
    const { shard } = tenure.fence
    if (this.#stopped || !tenure.isValid) return false
    const afterId = this.#cursors.get(shard)
    const page = await this.#options.journal.list({
      states: ['running', 'undoing'],
      shard,
      limit: PAGE,
      ...(afterId === undefined ? {} : { afterId }),
    })
    if (this.#stopped || !tenure.isValid) return false
    for (const head of page) {
      if (this.#options.room() <= 0) {
        this.#behind = true
        return false
      }
      if (!this.#options.has(head.id)) this.#options.adopt(head, tenure)
      this.#cursors.set(shard, head.id)
    }
    if (page.length < PAGE) this.#cursors.delete(shard)
    return page.length === PAGE
  }
}
