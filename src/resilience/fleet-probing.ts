import type { Timer } from '../core/clock.ts'
import type { LeaseGrant } from '../ports/lease.ts'
import type { BreakerGuard } from './breaker-guard.ts'
import type { CheckedFleet } from './fleet-options.ts'
import type { FleetRecord } from './fleet-records.ts'
import type { FleetStore } from './fleet-store.ts'

interface Needs {
  readonly store: FleetStore
  readonly guard: BreakerGuard
  readonly options: CheckedFleet
  /** Its time is over without a verdict. */
  readonly ended: () => void
}

/** One instance's turn to probe for all: under a lease, and under the record it wrote; what another has written since outdoes its verdict. */
export class Probing {
  readonly #needs: Needs
  #grant: LeaseGrant | null = null
  #record: FleetRecord | null = null
  #verdict: 'closed' | 'open' | null = null
  #over = false
  #timer: Timer | null = null

  constructor(needs: Needs) {
    this.#needs = needs
  }

  get active(): boolean {
    return this.#record !== null
  }

  /** Whether this is its own turn, and lasts. */
  under(record: FleetRecord): boolean {
    return this.#record !== null && this.#record.revision === record.revision && !this.#over
  }

  /** Null: another instance has its turn. Else what the fleet is now: half-open by this instance, or what came between. */
  async begin(former: FleetRecord): Promise<FleetRecord | null> {
    const { store, options } = this.#needs
    const grant = await store.acquire()
    if (grant === undefined) return null
    const { ok, record } = await store.write(former, 'half-open', former.openMs).catch((error: unknown) => {
      void store.release(grant).catch(() => {})
      throw error
    })
    if (!ok) {
      await store.release(grant)
      return record
    }
    this.#grant = grant
    this.#record = record
    this.#verdict = null
    this.#over = false
    this.#timer = options.clock.setTimer(
      () => {
        this.#over = true
        this.#needs.ended()
      },
      options.probeMs,
      { background: true },
    )
    return record
  }

  /** What its breaker tells while it probes. */
  heard(event: 'opened' | 'ramping' | 'closed'): void {
    if (this.#record === null || this.#verdict !== null) return
    this.#verdict = event === 'opened' ? 'open' : 'closed'
  }

  /** Tells the fleet the verdict, where there is one. */
  async settle(): Promise<void> {
    if (this.#record === null || (this.#verdict === null && !this.#over)) return
    const { store, guard } = this.#needs
    const [record, verdict, grant] = [this.#record, this.#verdict, this.#grant as LeaseGrant]
    if (verdict !== null) await store.write(record, verdict, verdict === 'open' ? guard.openMs : 0)
    this.drop()
    await store.release(grant)
  }

  /** Another has its turn, or nobody needs one. */
  drop(): void {
    this.#timer?.clear()
    this.#timer = null
    this.#record = null
    this.#grant = null
    this.#verdict = null
  }

  async end(): Promise<void> {
    const grant = this.#grant
    this.drop()
    if (grant !== null) await this.#needs.store.release(grant)
  }
}
