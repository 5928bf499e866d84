import type { GuardContext, Permit, Refusal } from '../core/guard.ts'
import { Waiting } from '../core/waiting.ts'

/** A call that waits for a slot. */
export class Waiter extends Waiting {
  declare before: Waiter | null
  declare after: Waiter | null
  declare queued: boolean
  declare readonly ctx: GuardContext
  declare readonly answer: (entry: Permit | Refusal) => void
  declare readonly giveUp: (waiter: Waiter, reason: unknown) => void

  constructor(ctx: GuardContext, answer: (entry: Permit | Refusal) => void, giveUp: (waiter: Waiter, reason: unknown) => void) {
    super()
    this.before = null
    this.after = null
    this.queued = false
    this.ctx = ctx
    this.answer = answer
    this.giveUp = giveUp
  }

  abortedBy(reason: unknown): void {
    this.giveUp(this, reason)
  }
}

/** First in, first out; anybody may leave from anywhere in O(1). */
export class WaiterQueue {
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

  /** False when it had already left. */
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
