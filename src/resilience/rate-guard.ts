import { abortedError } from '../core/abort-errors.ts'
import type { Clock, Timer } from '../core/clock.ts'
import { diagnostics } from '../core/diagnostics.ts'
import { Emitter } from '../core/events.ts'
import type { Guard, GuardContext, Permit, Refusal } from '../core/guard.ts'
import { checkOptions } from '../core/options.ts'
import { Waiter, type WaiterOwner, WaiterQueue } from './bulkhead-queue.ts'
import type { Limit, Meter } from './limits.ts'
import type { Owner } from './managed.ts'
import { changeable, type RateLimitEvents, type RateLimitStats, rateRefusal } from './rate-readouts.ts'

export class RateGuard implements WaiterOwner, Guard, Permit, Owner<RateLimitStats, RateLimitEvents> {
  readonly timed = 'enter'
  readonly name: string
  readonly clock: Clock
  readonly events = new Emitter<RateLimitEvents>()
  readonly #queue = new WaiterQueue()
  #meter: Meter
  #queued: number
  #timer: Timer | null = null
  /** When the oldest waiter may pass. */
  #dueMs = 0
  #admitted = 0
  #refused = 0

  constructor(options: { readonly limit: Limit; readonly queued: number; readonly name: string; readonly clock: Clock }) {
    this.name = options.name
    this.clock = options.clock
    this.#meter = options.limit.meter(options.clock.nowMs())
    this.#queued = options.queued
  }

  stats(): RateLimitStats {
    return { admitted: this.#admitted, refused: this.#refused, waiting: this.#queue.size }
  }

  reconfigure(changes: object): void {
    const { limit, queued } = checkOptions(`rateLimit ${this.name}`, changes, changeable)
    if (queued !== undefined) this.#queued = queued
    if (limit === undefined) return
    this.#meter = limit.meter(this.clock.nowMs())
    this.#disarm()
    this.#serve()
  }

  enter(ctx: GuardContext, nowMs: number): Permit | Refusal | Promise<Permit | Refusal> {
    // Whoever waits goes first: a newcomer does not take the token that the oldest waits for.
    const waitMs = this.#queue.size > 0 ? Number.NaN : this.#meter.take(nowMs)
    if (waitMs === 0) {
      this.#admitted += 1
      return this
    }
    if (this.#queue.size >= this.#queued) return this.#refuse(waitMs, nowMs)
    if (ctx.aborted) return abortedError(ctx, false)
    if (waitMs >= ctx.remainingMs) return this.#refuse(waitMs, nowMs)
    return new Promise((answer) => {
      const waiter = new Waiter(ctx, answer, this)
      this.#queue.push(waiter)
      ctx.listen(waiter)
      if (this.#timer === null) this.#arm(waitMs)
    })
  }

  leave(): void {}

  #refuse(waitMs: number, nowMs: number): Refusal {
    this.#refused += 1
    const retryAfterMs = Number.isNaN(waitMs) ? this.#nextMs(nowMs) : waitMs
    this.events.emit('refused', { name: this.name, retryAfterMs })
    if (diagnostics.policy.hasSubscribers)
      diagnostics.policy.publish({ policy: 'rateLimit', name: this.name, event: 'refused', retryAfterMs })
    return rateRefusal(this.name, { waitMs: retryAfterMs, queued: this.#queued, waiting: this.#queue.size })
  }

  /** When the oldest waiter passes; the ones before a newcomer pass first, so this is the earliest. */
  #nextMs(nowMs: number): number {
    return Math.max(0, this.#dueMs - nowMs)
  }

  #arm(waitMs: number): void {
    this.#dueMs = this.clock.nowMs() + waitMs
    this.#timer = this.clock.setTimer(() => {
      this.#timer = null
      this.#serve()
    }, waitMs)
  }

  #disarm(): void {
    this.#timer?.clear()
    this.#timer = null
  }

  gaveUp(waiter: Waiter): void {
    if (this.#queue.remove(waiter)) waiter.answer(abortedError(waiter.ctx, false))
    if (this.#queue.size === 0) this.#disarm()
  }

  /** Lets waiters pass, the oldest first, as far as the limit allows; then waits for the next token. */
  #serve(): void {
    while (this.#queue.size > 0) {
      const waitMs = this.#meter.take(this.clock.nowMs())
      if (waitMs > 0) {
        this.#arm(waitMs)
        return
      }
      const oldest = this.#queue.shift() as Waiter
      oldest.ctx.unlisten(oldest)
      this.#admitted += 1
      oldest.answer(this)
    }
  }
}
