import type { Clock } from '../core/clock.ts'
import type { KeyValue } from '../ports/key-value.ts'
import { bounded } from './bounded.ts'
import { readState, type SharedMeter, type SharedState } from './shared-meters.ts'
import { StoreClock } from './store-clock.ts'

export interface Taken {
  /** How many calls may pass, and until when by the local clock. */
  readonly taken: number
  readonly untilMs: number
  /** How long until more could; 0 where all that were wanted are taken. */
  readonly waitMs: number
}

interface Known {
  readonly revision: number
  readonly state: SharedState
}

export interface TakerOptions {
  readonly store: KeyValue
  readonly key: string
  readonly storeTimeoutMs: number
  readonly clock: Clock
}

/**
 * Takes calls from what is stored: one round trip where nobody came between since the last time, and one more for each who did. Where what
 * is known leaves nothing, none: others can only have taken more.
 */
export class SharedTaker {
  readonly #options: TakerOptions
  readonly #time: StoreClock
  #known: Known | undefined

  constructor(options: TakerOptions) {
    this.#options = options
    this.#time = new StoreClock(options.store, options.clock)
  }

  /** Ends within `storeTimeoutMs`, whatever the store does. Rejects where the store fails; what was taken then is lost, never taken twice. */
  take(meter: SharedMeter, wanted: number): Promise<Taken> {
    const { clock, storeTimeoutMs } = this.#options
    return bounded(clock, storeTimeoutMs, (signal) => this.#take(meter, wanted, signal))
  }

  async #take(meter: SharedMeter, wanted: number, signal: AbortSignal): Promise<Taken> {
    const { store, key, storeTimeoutMs, clock } = this.#options
    for (;;) {
      const now = await this.#time.span(signal)
      const askedMs = clock.nowMs()
      const known = this.#known
      const { taken, waitMs, state, ttlMs } = meter.take(known?.state, now, wanted)
      if (state === undefined) return { taken: 0, untilMs: askedMs, waitMs }
      const verdict = await store.put(key, JSON.stringify(state), { expect: known?.revision ?? 'none', ttlMs, signal })
      if (signal.aborted) throw signal.reason
      if (verdict.ok) {
        this.#known = { revision: verdict.revision, state }
        return { taken, untilMs: askedMs + storeTimeoutMs, waitMs }
      }
      // Not given up by the clock: where this process stood still meanwhile, one who came between is no sign of a store that fails.
      const { entry } = verdict
      this.#known = entry && { revision: entry.revision, state: readState(key, entry.value) }
    }
  }
}
