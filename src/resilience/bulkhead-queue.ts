import type { GuardContext, Permit, Refusal } from '../core/guard.ts'
import type { Due, TimerList } from '../core/timer-list.ts'
import { Waiting } from '../core/waiting.ts'

/** Who is told when a waiter cannot wait any longer. */
export interface WaiterOwner {
  gaveUp(waiter: Waiter): void
  /** Present where waiters are put into a list of timers. */
  timedOut?(waiter: Waiter): void
}

/** A call that waits for a slot: in a line, in the ring of those who hear of an abort, and perhaps in a list of timers. */
export class Waiter extends Waiting implements Due {
  declare before: Waiter | null
  declare after: Waiter | null
  declare queued: boolean
  /** Where there are priorities: this one, how many came before, and the place in the heap. */
  declare rank: number
  declare order: number
  declare heapAt: number
  /** Whose turn it waits for, where turns go round keys. */
  declare turn: object | null
  declare due: Due | null
  declare dueBefore: Due | null
  declare dueIn: TimerList | null
  declare dueMs: number
  declare readonly ctx: GuardContext
  declare readonly answer: (entry: Permit | Refusal) => void
  declare readonly owner: WaiterOwner

  constructor(ctx: GuardContext, answer: (entry: Permit | Refusal) => void, owner: WaiterOwner) {
    super()
    this.before = null
    this.after = null
    this.queued = false
    this.rank = 0
    this.order = 0
    this.heapAt = -1
    this.turn = null
    this.due = null
    this.dueBefore = null
    this.dueIn = null
    this.dueMs = 0
    this.ctx = ctx
    this.answer = answer
    this.owner = owner
  }

  abortedBy(): void {
    this.owner.gaveUp(this)
  }

  fire(): void {
    this.owner.timedOut?.(this)
  }
}

/** In which order waiters are served. */
export interface Line {
  readonly size: number
  push(waiter: Waiter): void
  shift(): Waiter | null
  /** False when it had already left. */
  remove(waiter: Waiter): boolean
}

/** First in, first out; anybody may leave from anywhere in O(1). */
export class WaiterQueue implements Line {
  #first: Waiter | null = null
  #last: Waiter | null = null
  #size = 0

  get size(): number {
    return this.#size
  }

  push(waiter: Waiter): void {
    waiter.before = this.#last
    if (this.#last === null) this.#first = waiter
    else this.#last.after = waiter
    this.#last = waiter
    waiter.queued = true
    this.#size += 1
  }

  shift(): Waiter | null {
    const first = this.#first
    if (first !== null) this.remove(first)
    return first
  }

  remove(waiter: Waiter): boolean {
    if (!waiter.queued) return false
    if (waiter.before === null) this.#first = waiter.after
    else waiter.before.after = waiter.after
    if (waiter.after === null) this.#last = waiter.before
    else waiter.after.before = waiter.before
    waiter.before = null
    waiter.after = null
    waiter.queued = false
    this.#size -= 1
    return true
  }
}
