import type { AppendVerdict, EventStoreStats } from '../../ports/event-store.ts'

/** Batches whose sizes are remembered. */
const SIZES_MAX = 1_000

/** What one opening has done. */
export class EventTally {
  #batches = 0
  #requests = 0
  #events = 0
  #conflicts = 0
  readonly #sizes: number[] = []
  /** When each waiting request came. */
  readonly #waiting = new Map<object, number>()

  batch(size: number): void {
    this.#sizes[this.#batches++ % SIZES_MAX] = size
    this.#requests += size
  }

  /** Without a batch. */
  joined(): void {
    this.#requests += 1
  }

  wrote(events: number): void {
    this.#events += events
  }

  /** A request waits from now on; returns what ends that. */
  waits(nowMs: number): () => void {
    const request = {}
    this.#waiting.set(request, nowMs)
    return () => void this.#waiting.delete(request)
  }

  judged(verdict: AppendVerdict): AppendVerdict {
    if (verdict.result === 'conflict') this.#conflicts += 1
    return verdict
  }

  stats(nowMs: number): EventStoreStats {
    const sum = this.#sizes.reduce((all, size) => all + size, 0)
    const [oldestMs = nowMs] = this.#waiting.values()
    return {
      waiting: this.#waiting.size,
      oldestWaitMs: nowMs - oldestMs,
      batches: this.#batches,
      requests: this.#requests,
      events: this.#events,
      conflicts: this.#conflicts,
      unknown: 0,
      batchSizeMean: this.#sizes.length === 0 ? 0 : sum / this.#sizes.length,
      batchSizeMax: this.#sizes.reduce((most, size) => Math.max(most, size), 0),
      pendingJoined: 0,
    }
  }
}
