import type { Clock } from '../../src/core/clock.ts'
import { Heap, type Heaped } from '../../src/resilience/heap.ts'

interface Entry extends Heaped {
  readonly atMs: number
  readonly order: number
  readonly fire: () => void
}

/** Virtual time for very many timers: setting and clearing one is O(log n), and the event loop turns once per millisecond, not once per timer. */
export class SoakClock implements Clock {
  readonly #timers = new Heap<Entry>((a, b) => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order))
  #nowMs = 0
  #order = 0
  pending = 0

  readonly nowMs = (): number => this.#nowMs
  readonly epochMs = (): number => Date.UTC(2026, 0, 1) + this.#nowMs
  readonly setTimer = (fire: () => void, delayMs: number): { clear(): void } => {
    const entry = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, fire, heapAt: -1 }
    this.#timers.add(entry)
    this.pending += 1
    return { clear: () => void (entry.heapAt >= 0 && this.#take(entry)) }
  }

  #take(entry: Entry): void {
    this.#timers.remove(entry)
    this.pending -= 1
  }

  async advance(ms: number): Promise<void> {
    for (const untilMs = this.#nowMs + ms; this.#nowMs < untilMs; ) {
      this.#nowMs = Math.min(untilMs, Math.floor(this.#nowMs) + 1)
      for (let due = this.#timers.first; due !== undefined && due.atMs <= this.#nowMs; due = this.#timers.first) {
        this.#take(due)
        due.fire()
      }
      await turn()
    }
  }
}

export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
