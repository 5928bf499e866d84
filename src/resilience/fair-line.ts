import type { Context } from '../core/context.ts'
import { type Line, type Waiter, WaiterQueue } from './bulkhead-queue.ts'
import { Heap, type Heaped } from './heap.ts'

/** How many keys without waiters are remembered, so that a key which always has one call waiting is not served before all others. */
const IDLE_KEYS_MAX = 10_000

/** The waiters of one key, and when, in virtual time, its next one is due. */
class Turn extends WaiterQueue implements Heaped {
  heapAt = -1
  startsAt = 0
  order = 0
  constructor(
    readonly key: string,
    readonly cost: number,
  ) {
    super()
  }
}

/**
 * Serves keys in proportion to their weights, however many waiters each has: a key's virtual time moves on by 1/weight with each of its
 * waiters that is served, and the key that is furthest behind is next. A key that was away begins at the present and saves nothing up.
 *
 * Source: P. Goyal, H. Vin, H. Cheng, "Start-time Fair Queueing" (1996).
 */
export class FairLine implements Line {
  size = 0
  readonly #keyOf: (ctx: Context) => string | undefined
  readonly #weightOf: (key: string) => number
  readonly #turns = new Map<string, Turn>()
  readonly #heap = new Heap<Turn>((a, b) => a.startsAt < b.startsAt || (a.startsAt === b.startsAt && a.order < b.order))
  /** When keys without waiters would be due, where that is later than now. */
  readonly #idle = new Map<string, number>()
  #now = 0
  #order = 0

  constructor(keyOf: (ctx: Context) => string | undefined, weightOf: (key: string) => number) {
    this.#keyOf = keyOf
    this.#weightOf = weightOf
  }

  push(waiter: Waiter): void {
    const key = this.#read(waiter.ctx)
    let turn = this.#turns.get(key)
    if (turn === undefined) {
      turn = new Turn(key, 1 / this.#weigh(key))
      turn.startsAt = Math.max(this.#now, this.#idle.get(key) ?? 0)
      turn.order = this.#order++
      this.#idle.delete(key)
      this.#turns.set(key, turn)
      this.#heap.add(turn)
    }
    turn.push(waiter)
    waiter.turn = turn
    this.size += 1
  }

  shift(): Waiter | null {
    const turn = this.#heap.first
    if (turn === undefined) return null
    const waiter = turn.shift()
    this.size -= 1
    this.#now = turn.startsAt
    turn.startsAt += turn.cost
    if (turn.size > 0) {
      turn.order = this.#order++
      this.#heap.moved(turn)
    } else this.#rest(turn)
    return waiter
  }

  remove(waiter: Waiter): boolean {
    const turn = waiter.turn as Turn | null
    if (turn?.remove(waiter) !== true) return false
    this.size -= 1
    if (turn.size === 0) this.#rest(turn)
    return true
  }

  #rest(turn: Turn): void {
    this.#heap.remove(turn)
    this.#turns.delete(turn.key)
    if (turn.startsAt > this.#now) this.#idle.set(turn.key, turn.startsAt)
    if (this.#idle.size > IDLE_KEYS_MAX) this.#idle.delete(this.#idle.keys().next().value as string)
    if (this.size > 0) return
    // Nobody waits: the next ones begin anew, and virtual time does not grow without end.
    this.#idle.clear()
    this.#now = 0
  }

  #read(ctx: Context): string {
    try {
      const key = this.#keyOf(ctx)
      return typeof key === 'string' ? key : ''
    } catch {
      return ''
    }
  }

  #weigh(key: string): number {
    try {
      const weight = this.#weightOf(key)
      return Number.isFinite(weight) && weight > 0 ? weight : 1
    } catch {
      return 1
    }
  }
}
