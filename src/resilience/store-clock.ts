import type { Clock } from '../core/clock.ts'
import { HoldfastError } from '../core/errors.ts'
import type { KeyValue } from '../ports/key-value.ts'
import type { Span } from './shared-meters.ts'

/** One key for all limits of a store: how much of its time is left tells every process how late it is, by the store's clock. */
const KEY = 'holdfast/clock'
/** Ten years. */
const RUNS_MS = 315_360_000_000
/** Read again after this long. */
const TRUSTED_MS = 10_000
/** How far apart two clocks may run, per unit of time: ten times what quartz does. */
const DRIFT = 0.000_5
/** Engines may count in whole milliseconds. */
const GRAIN_MS = 1

/** Reads the store's clock now and then, and knows in between how late it can be there. */
export class StoreClock {
  readonly #store: KeyValue
  readonly #clock: Clock
  #read: (Span & { readonly atMs: number }) | null = null

  constructor(store: KeyValue, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  async span(signal: AbortSignal): Promise<Span> {
    const read = this.#read
    const sinceMs = read === null ? Number.POSITIVE_INFINITY : this.#clock.nowMs() - read.atMs
    if (read === null || sinceMs < 0 || sinceMs >= TRUSTED_MS) return this.#ask(signal)
    return { leastMs: read.leastMs + sinceMs * (1 - DRIFT), mostMs: read.mostMs + sinceMs * (1 + DRIFT) }
  }

  async #ask(signal: AbortSignal): Promise<Span> {
    const askedMs = this.#clock.nowMs()
    const { remainingMs } = await this.#store.increment(KEY, 0, { ttlMs: RUNS_MS, signal })
    const atMs = this.#clock.nowMs()
    if (remainingMs === undefined)
      throw new HoldfastError('STORAGE_CORRUPT', `the key ${KEY} of the store has no end, and tells no time; delete it`, { effect: 'none' })
    const leastMs = Math.max(0, RUNS_MS - remainingMs - GRAIN_MS)
    const read = { leastMs, mostMs: RUNS_MS - remainingMs + (atMs - askedMs), atMs }
    this.#read = read
    return read
  }
}
