import { type HoldfastCode, HoldfastError, refusal } from '../core/errors.ts'
import type { Guard, GuardContext, Permit, Refusal } from '../core/guard.ts'
import { guardOf, guardPolicy } from '../core/guard-policy.ts'
import type { Policy } from '../core/handler.ts'
import { checkOptions } from '../core/options.ts'
import { policyKind } from '../core/policy.ts'
import { text, whole } from '../core/rules.ts'
import { Waiter, WaiterQueue } from './bulkhead-queue.ts'

export interface BulkheadOptions {
  /** Calls that may run at once; a whole number of at least 1, default 10. */
  readonly concurrent?: number
  /** Calls that may wait for a slot, in order of arrival; default 0: a full bulkhead refuses at once. */
  readonly queued?: number
  /** Stands for it in errors and diagnostics; default `bulkhead`. */
  readonly name?: string
}

export interface Bulkhead extends Policy {
  /** Slots taken, those of abandoned calls included. */
  readonly running: number
  readonly waiting: number
  /** Slots of calls that were answered from inside, by a time-out or an abort, or are over but for `ctx.hold()`, while work goes on. */
  readonly abandoned: number
}

/**
 * Bounds how many calls run at once and how many wait.
 *
 * A slot is held until the work really settles, also after a timeout inside or outside, and as long as `ctx.hold()` says; so the number
 * of running calls never exceeds `concurrent`. A freed slot goes straight to the oldest waiter: nobody can overtake, and a waiter that
 * was accepted is never rejected. A waiter whose caller gives up leaves at once.
 *
 * @throws {HoldfastError} `BULKHEAD_FULL` (effect none, retry later) when slots and queue are full · `ABORTED`, `TIMEOUT` or `DEADLINE`
 * (effect none) when the caller's patience ended while it waited · `INVALID_OPTIONS` (effect none).
 * @example
 * ```ts
 * const reports = bulkhead({ name: 'reports', concurrent: 4, queued: 100 })
 * ```
 */
export function bulkhead(options?: BulkheadOptions): Bulkhead {
  return guardPolicy<Bulkhead>(new BulkheadGuard(checkOptions('bulkhead', options, rules)), bulkheadKind)
}

const rules = { concurrent: whole({ min: 1, default: 10 }), queued: whole({ default: 0 }), name: text('bulkhead') }

const bulkheadKind = /* @__PURE__ */ policyKind({
  get running(): number {
    return guardOf<BulkheadGuard>(this).running
  },
  get waiting(): number {
    return guardOf<BulkheadGuard>(this).waiting
  },
  get abandoned(): number {
    return guardOf<BulkheadGuard>(this).abandoned
  },
})

class BulkheadGuard implements Guard, Permit {
  readonly keeps = true
  readonly name: string
  readonly #concurrent: number
  readonly #queued: number
  readonly #queue = new WaiterQueue()
  readonly #giveUp = (waiter: Waiter): void => {
    if (this.#queue.remove(waiter)) waiter.answer(gaveUp(waiter.ctx, this.name))
  }
  running = 0
  /** Answered and not yet released, the ones released in the same step included. */
  abandoned = 0

  constructor(options: Required<BulkheadOptions>) {
    this.name = options.name
    this.#concurrent = options.concurrent
    this.#queued = options.queued
  }

  get waiting(): number {
    return this.#queue.size
  }

  enter(ctx: GuardContext): Permit | Refusal | Promise<Permit | Refusal> {
    if (this.running < this.#concurrent) {
      this.running += 1
      return this
    }
    if (this.#queue.size >= this.#queued)
      return refusal('BULKHEAD_FULL', `${this.name} is full: ${this.running} running, ${this.#queue.size} of ${this.#queued} waiting`)
    return new Promise((answer) => {
      const waiter = new Waiter(ctx, answer, this.#giveUp)
      this.#queue.push(waiter)
      // Told at once where the caller has given up already.
      ctx.listen(waiter)
    })
  }

  leave(): void {
    this.abandoned += 1
  }

  release(): void {
    this.abandoned -= 1
    const oldest = this.#queue.shift()
    if (oldest === null) {
      this.running -= 1
      return
    }
    // `running` does not drop: the slot is handed over, and a newcomer cannot come between.
    oldest.ctx.unlisten(oldest)
    oldest.answer(this)
  }
}

function gaveUp(ctx: GuardContext, name: string): HoldfastError {
  const why = ctx.reason
  if (why instanceof HoldfastError && (why.code === 'TIMEOUT' || why.code === 'DEADLINE'))
    return refusal(why.code as HoldfastCode, `${why.message}; still waiting in ${name}`)
  return refusal('ABORTED', `the caller gave up while waiting in ${name}`, { retry: 'never', cause: why })
}
