import type { AppendVerdict, EventStoreStats } from '../../../ports/event-store.ts'

/** Batches whose sizes are remembered. */
const SIZES_MAX = 1_000

/** What one opening has done. */
export class Tally {
  #batches = 0
  #requests = 0
  #events = 0
  #conflicts = 0
  #unknown = 0
  readonly #sizes: number[] = []

  batch(events: number, verdicts: readonly AppendVerdict[]): void {
    this.#sizes[this.#batches++ % SIZES_MAX] = verdicts.length
    this.answered(events, verdicts)
  }

  /** Without a batch: joined. */
  answered(events: number, verdicts: readonly AppendVerdict[]): void {
    this.#requests += verdicts.length
    this.#events += events
    for (const { result } of verdicts) {
      if (result === 'conflict') this.#conflicts += 1
      if (result === 'unknown') this.#unknown += 1
    }
  }

  stats(waiting: number, oldestWaitMs: number): EventStoreStats {
    const sum = this.#sizes.reduce((all, size) => all + size, 0)
    return {
      waiting,
      oldestWaitMs,
      batches: this.#batches,
      requests: this.#requests,
      events: this.#events,
      conflicts: this.#conflicts,
      unknown: this.#unknown,
      batchSizeMean: this.#sizes.length === 0 ? 0 : sum / this.#sizes.length,
      batchSizeMax: this.#sizes.reduce((most, size) => Math.max(most, size), 0),
      pendingJoined: 0,
    }
  }
}
