import type { KeyChange } from '../ports/key-value.ts'
import type { LeaseGrant } from '../ports/lease.ts'
import { bounded } from './bounded.ts'
import type { CheckedFleet } from './fleet-options.ts'
import { type FleetRecord, type Opinion, opinionOf, opinionText, RECORD_MS, recordOf, recordText } from './fleet-records.ts'

const PAGE = 1_000

/** What a fleet asks of its store; every call ends within `storeTimeoutMs`. */
export class FleetStore {
  readonly #options: CheckedFleet
  readonly #instance: string
  readonly #recordKey: string
  readonly #opinions: string
  readonly #lease: string

  constructor(options: CheckedFleet, instance: string) {
    this.#options = options
    this.#instance = instance
    this.#recordKey = `holdfast/fleet/${options.name}/state`
    this.#opinions = `holdfast/fleet/${options.name}/of/`
    this.#lease = `holdfast/fleet/${options.name}/probe`
  }

  async read(): Promise<FleetRecord> {
    return recordOf(await this.#within((signal) => this.#options.keyValue.get(this.#recordKey, signal)))
  }

  /** Writes where nobody has written since; answers with what stands there afterwards, and whether it was this. */
  async write(
    former: FleetRecord,
    state: FleetRecord['state'],
    openMs: number,
  ): Promise<{ readonly ok: boolean; readonly record: FleetRecord }> {
    const { keyValue } = this.#options
    const by = this.#instance
    const verdict = await this.#within((signal) =>
      keyValue.put(this.#recordKey, recordText(state, openMs, by), {
        expect: former.revision === 0 ? 'none' : former.revision,
        ttlMs: RECORD_MS,
        signal,
      }),
    )
    if (!verdict.ok) return { ok: false, record: recordOf(verdict.entry) }
    return { ok: true, record: { revision: verdict.revision, state, openMs, ageMs: 0, by } }
  }

  async say(opinion: Opinion): Promise<void> {
    const { keyValue, staleMs } = this.#options
    await this.#within((signal) =>
      keyValue.put(this.#opinions + this.#instance, opinionText(opinion), { ttlMs: Math.ceil(staleMs), signal }),
    )
  }

  /** What all who are alive say. */
  async opinions(): Promise<readonly Opinion[]> {
    const found: Opinion[] = []
    let afterKey: string | undefined
    for (;;) {
      const page = await this.#within((signal) =>
        this.#options.keyValue.list({ prefix: this.#opinions, limit: PAGE, ...(afterKey !== undefined && { afterKey }), signal }),
      )
      found.push(...page.map(opinionOf))
      afterKey = page.at(-1)?.key
      if (page.length < PAGE) return found
    }
  }

  async withdraw(): Promise<void> {
    await this.#within((signal) => this.#options.keyValue.delete(this.#opinions + this.#instance, { signal }))
  }

  watch(signal: AbortSignal): AsyncIterable<KeyChange> {
    return this.#options.keyValue.watch(this.#recordKey, signal)
  }

  acquire(): Promise<LeaseGrant | undefined> {
    return this.#within((signal) =>
      this.#options.lease.acquire(this.#lease, this.#instance, { ttlMs: Math.ceil(this.#options.probeMs), signal }),
    )
  }

  async release(grant: LeaseGrant): Promise<void> {
    await this.#within((signal) => this.#options.lease.release(grant, signal))
  }

  #within<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return bounded(this.#options.clock, this.#options.storeTimeoutMs, work)
  }
}
