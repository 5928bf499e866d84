import type { Clock, Timer } from '../core/clock.ts'
import { HoldfastError } from '../core/errors.ts'
import type { Logger } from '../ports/logger.ts'
import type { SagaClaim, SagaJournal } from '../ports/saga-journal.ts'
import { Tenure } from './tenure.ts'

/** How long after the end of its lease a shard may stay without an owner while somebody wants it. */
const TAKEOVER_MS = 500

export interface LeaseOptions {
  readonly journal: SagaJournal
  readonly clock: Clock
  readonly logger: Logger
  readonly owner: string
  readonly shards: number
  readonly leaseMs: number
  readonly gained: (tenure: Tenure) => void
  readonly lost: (tenure: Tenure) => void
}

/**
 * Claims the shards of this process, renews them at a third of the lease, and asks for those that others hold twice a second. What is not renewed in time is given up by this process's
 * own clock, before anybody else can have it; what another process has taken is given up when the journal says so. Goes on claiming.
 */
export class LeaseKeeper {
  readonly #options: LeaseOptions
  readonly #held = new Map<number, Tenure>()
  readonly #stopping = new AbortController()
  #renewal: Timer | null = null
  #expiry: Timer | null = null
  #claiming: Promise<void> | null = null

  constructor(options: LeaseOptions) {
    this.#options = options
  }

  /** The tenure of a shard that this process may work on now. */
  tenureOf(shard: number): Tenure | undefined {
    const tenure = this.#held.get(shard)
    return tenure?.isValid ? tenure : undefined
  }

  get tenures(): readonly Tenure[] {
    return [...this.#held.values()].filter(({ isValid }) => isValid)
  }

  /** Claims for the first time. Rejects as the journal does. */
  async start(signal?: AbortSignal): Promise<void> {
    await this.#claim(signal)
    this.#next()
  }

  /** Asks the journal now: a write of ours was fenced. */
  check(): void {
    if (this.#stopping.signal.aborted || this.#claiming !== null) return
    this.#renewal?.clear()
    void this.#renew()
  }

  /** Has everything that runs under a lease give up. */
  abandon(reason: HoldfastError): void {
    for (const tenure of this.#held.values()) this.#drop(tenure, reason)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#renewal?.clear()
    this.#expiry?.clear()
    await this.#claiming?.catch(() => {})
    try {
      await this.#options.journal.release(this.#options.owner)
    } catch (error) {
      this.#options.logger.warn({ error }, 'the leases of the sagas were not released; they run out by themselves')
    }
  }

  #next(): void {
    if (this.#stopping.signal.aborted) return
    const { clock, shards, leaseMs } = this.#options
    const delayMs = this.#held.size < shards ? Math.min(TAKEOVER_MS, leaseMs / 3) : leaseMs / 3
    this.#renewal = clock.setTimer(() => void this.#renew(), delayMs, { background: true })
  }

  async #renew(): Promise<void> {
    this.#claiming = this.#claim().catch((error) => {
      if (!this.#stopping.signal.aborted) this.#options.logger.warn({ error }, 'the leases of the sagas could not be renewed')
    })
    await this.#claiming
    this.#claiming = null
    this.#next()
  }

  async #claim(signal: AbortSignal = this.#stopping.signal): Promise<void> {
    const { journal, clock, owner, shards, leaseMs } = this.#options
    const askedMs = clock.nowMs()
    const claims = await journal.claim(owner, { shards, leaseMs, signal })
    if (this.#stopping.signal.aborted) return
    const byShard = new Map(claims.map((claim) => [claim.fence.shard, claim]))
    for (const tenure of [...this.#held.values()]) {
      const claim = byShard.get(tenure.fence.shard)
      if (claim?.fence.epoch === tenure.fence.epoch) {
        tenure.renew(askedMs + claim.leaseMs)
        byShard.delete(tenure.fence.shard)
      } else this.#drop(tenure, lost(tenure.fence.shard))
    }
    for (const claim of byShard.values()) this.#take(claim, askedMs)
    this.#watchExpiry()
  }

  #take({ fence, leaseMs }: SagaClaim, askedMs: number): void {
    const tenure = new Tenure(fence, askedMs + leaseMs, this.#options.clock)
    this.#held.set(fence.shard, tenure)
    this.#options.gained(tenure)
  }

  #drop(tenure: Tenure, reason: HoldfastError): void {
    this.#held.delete(tenure.fence.shard)
    tenure.end(reason)
    this.#options.lost(tenure)
  }

  #watchExpiry(): void {
    this.#expiry?.clear()
    this.#expiry = null
    if (this.#held.size === 0) return
    const untilMs = Math.min(...[...this.#held.values()].map((tenure) => tenure.untilMs))
    this.#expiry = this.#options.clock.setTimer(() => this.#expire(), Math.max(0, untilMs - this.#options.clock.nowMs()), {
      background: true,
    })
  }

  #expire(): void {
    for (const tenure of [...this.#held.values()]) if (!tenure.isValid) this.#drop(tenure, lost(tenure.fence.shard))
    this.#watchExpiry()
  }
}

const lost = (shard: number): HoldfastError =>
  new HoldfastError('ABORTED', `the lease of saga shard ${shard} is lost: another process may continue its sagas`, { retry: 'later' })
