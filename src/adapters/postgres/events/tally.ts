import type { AppendVerdict, EventStoreStats } from '../../../ports/event-store.ts'
import type { CheckedRequest } from '../../event-shared/checked.ts'

const BATCHES_KEPT = 1_000

/** Counts for `stats()`. */
export class EventTally {
  #batches = 0
  #requests = 0
  #events = 0
  #conflicts = 0
  #unknown = 0
  readonly #sizes: number[] = []

  sent(requests: number): void {
    this.#sizes[this.#batches % BATCHES_KEPT] = requests
    this.#batches += 1
  }

  answered({ writes }: CheckedRequest, { result }: AppendVerdict): void {
    this.#requests += 1
    if (result === 'conflict') this.#conflicts += 1
    else if (result === 'unknown') this.#unknown += 1
    else if (result === 'ok') for (const { events } of writes) this.#events += events.length
  }

  get counts(): Omit<EventStoreStats, 'waiting' | 'oldestWaitMs' | 'pendingJoined' | 'oldestSnapshotMs'> {
    const sizes = this.#sizes
    return {
      batches: this.#batches,
      requests: this.#requests,
      events: this.#events,
      conflicts: this.#conflicts,
      unknown: this.#unknown,
      batchSizeMean: sizes.length === 0 ? 0 : sizes.reduce((sum, size) => sum + size, 0) / sizes.length,
      batchSizeMax: sizes.reduce((max, size) => Math.max(max, size), 0),
    }
  }
}
