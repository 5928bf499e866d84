import type { Context } from '../core/context.ts'
import type { Line, Waiter } from './bulkhead-queue.ts'
import { Heap } from './heap.ts'

/** The highest priority first; within one, first in, first out. O(log n). */
export class PriorityLine implements Line {
  size = 0
  readonly #priority: (ctx: Context) => number
  readonly #heap = new Heap<Waiter>((a, b) => a.rank > b.rank || (a.rank === b.rank && a.order < b.order))
  #order = 0

  constructor(priority: (ctx: Context) => number) {
    this.#priority = priority
  }

  push(waiter: Waiter): void {
    waiter.rank = this.#rankOf(waiter.ctx)
    waiter.order = this.#order++
    waiter.queued = true
    this.#heap.add(waiter)
    this.size += 1
  }

  shift(): Waiter | null {
    const first = this.#heap.first
    if (first === undefined) return null
    this.remove(first)
    return first
  }

  remove(waiter: Waiter): boolean {
    if (!waiter.queued) return false
    waiter.queued = false
    this.#heap.remove(waiter)
    this.size -= 1
    return true
  }

  #rankOf(ctx: Context): number {
    try {
      const rank = this.#priority(ctx)
      return typeof rank === 'number' && !Number.isNaN(rank) ? rank : 0
    } catch {
      // Guards never throw: a function that does must not cost the call its place.
      return 0
    }
  }
}
