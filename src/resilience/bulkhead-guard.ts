import { type Clock, defaultClock } from '../core/clock.ts'
import { diagnostics } from '../core/diagnostics.ts'
import { type HoldfastCode, HoldfastError, refusal } from '../core/errors.ts'
import { Emitter } from '../core/events.ts'
import type { Guard, GuardContext, Permit, Refusal } from '../core/guard.ts'
import { TimerList } from '../core/timer-list.ts'
import { type Checked, changeBulkhead, lineFor } from './bulkhead-options.ts'
import { type Line, Waiter, type WaiterOwner } from './bulkhead-queue.ts'
import type { Owner } from './managed.ts'

export interface BulkheadStats {
  /** Slots taken, those of abandoned calls that keep theirs included. */
  readonly running: number
  readonly waiting: number
  /** Calls that were answered while their work goes on. */
  readonly abandoned: number
  readonly concurrent: number
  readonly queued: number
  /** Calls that were given a slot. */
  readonly admitted: number
  /** Calls refused because slots and queue were full. */
  readonly refused: number
  /** Calls that waited longer than `queueTimeoutMs`. */
  readonly timedOut: number
  /** Calls whose caller gave up while they waited. */
  readonly gaveUp: number
}

export type BulkheadEvents = {
  readonly refused: { readonly name: string; readonly running: number; readonly waiting: number }
  readonly timedOut: { readonly name: string; readonly queueTimeoutMs: number }
}

/** What stands behind another kind of bulkhead: whose permits calls get, and as what it tells of itself. */
export interface Front {
  readonly kind: string
  readonly permit: Permit
  readonly events: Emitter<BulkheadEvents>
}

export class BulkheadGuard implements Guard, Permit, WaiterOwner, Owner<BulkheadStats, BulkheadEvents> {
  readonly keeps = true
  readonly name: string
  readonly clock?: Clock
  readonly events: Emitter<BulkheadEvents>
  readonly #kind: string
  readonly #permit: Permit
  #settings: Checked
  #concurrent: number
  readonly #line: Line
  #patience: TimerList | null
  running = 0
  /** Answered and not yet released, the ones released in the same step included. */
  abandoned = 0
  /** Those of the abandoned that have given their slots back. */
  #apart = 0
  #admitted = 0
  #refused = 0
  #timedOut = 0
  #gaveUp = 0

  constructor(settings: Checked, front?: Front) {
    this.name = settings.name
    this.events = front?.events ?? new Emitter()
    this.#kind = front?.kind ?? 'bulkhead'
    this.#permit = front?.permit ?? this
    if (settings.clock !== undefined) this.clock = settings.clock
    this.#settings = settings
    this.#concurrent = settings.concurrent
    this.#line = lineFor(settings.order)
    this.#patience = this.#timers(settings.queueTimeoutMs)
  }

  get waiting(): number {
    return this.#line.size
  }

  stats(): BulkheadStats {
    return {
      running: this.running,
      waiting: this.waiting,
      abandoned: this.abandoned,
      concurrent: this.#concurrent,
      queued: this.#settings.queued,
      admitted: this.#admitted,
      refused: this.#refused,
      timedOut: this.#timedOut,
      gaveUp: this.#gaveUp,
    }
  }

  enter(ctx: GuardContext): Permit | Refusal | Promise<Permit | Refusal> {
    if (this.running < this.#concurrent) {
      this.running += 1
      this.#admitted += 1
      return this.#permit
    }
    if (this.#line.size >= this.#settings.queued) return this.#full()
    if (ctx.aborted) return gaveUp(ctx, this.name)
    return new Promise((answer) => this.#wait(new Waiter(ctx, answer, this)))
  }

  #wait(waiter: Waiter): void {
    this.#line.push(waiter)
    if (this.#patience !== null) {
      waiter.dueMs = this.#clock.nowMs() + (this.#settings.queueTimeoutMs as number)
      this.#patience.add(waiter)
    }
    waiter.ctx.listen(waiter)
  }

  leave(): void {
    this.abandoned += 1
    if (this.#apart >= this.#settings.abandonedMax) return
    this.#apart += 1
    this.#giveSlot()
  }

  release(): void {
    const keptSlots = this.abandoned - this.#apart
    this.abandoned -= 1
    // Which of the abandoned it is does not matter: where some keep slots, one is free now; otherwise there is room for one more apart.
    if (keptSlots > 0) this.#giveSlot()
    else this.#apart -= 1
  }

  /** A slot is handed over: `running` does not drop meanwhile, and a newcomer cannot come between. */
  #giveSlot(): void {
    const next = this.running > this.#concurrent ? null : this.#line.shift()
    if (next === null) this.running -= 1
    else this.#admit(next)
  }

  #admit(waiter: Waiter): void {
    this.#admitted += 1
    waiter.ctx.unlisten(waiter)
    waiter.dueIn?.remove(waiter)
    waiter.answer(this.#permit)
  }

  gaveUp(waiter: Waiter): void {
    if (!this.#line.remove(waiter)) return
    this.#gaveUp += 1
    waiter.dueIn?.remove(waiter)
    waiter.answer(gaveUp(waiter.ctx, this.name))
  }

  timedOut(waiter: Waiter): void {
    if (!this.#line.remove(waiter)) return
    this.#timedOut += 1
    waiter.ctx.unlisten(waiter)
    const { queueTimeoutMs = 0 } = this.#settings
    waiter.answer(refusal('QUEUE_TIMEOUT', `${this.name}: no slot within ${queueTimeoutMs} ms, ${this.running} running`))
    this.#tell('timedOut', { name: this.name, queueTimeoutMs })
  }

  #full(): HoldfastError {
    this.#refused += 1
    const { running, waiting } = this
    this.#tell('refused', { name: this.name, running, waiting })
    return refusal('BULKHEAD_FULL', `${this.name} is full: ${running} running, ${waiting} of ${this.#settings.queued} waiting`)
  }

  reconfigure(changes: object): void {
    this.take(changeBulkhead(this.#settings, changes))
  }

  get settings(): Checked {
    return this.#settings
  }

  /** Works by these from now on. */
  take(settings: Checked): void {
    const former = this.#settings
    this.#settings = settings
    this.#concurrent = settings.concurrent
    // Those that wait keep the time they began with.
    if (settings.queueTimeoutMs !== former.queueTimeoutMs) this.#patience = this.#timers(settings.queueTimeoutMs)
    for (; this.#apart < settings.abandonedMax && this.abandoned > this.#apart; this.#giveSlot()) this.#apart += 1
    while (this.running < this.#concurrent) {
      const next = this.#line.shift()
      if (next === null) return
      this.running += 1
      this.#admit(next)
    }
  }

  get #clock(): Clock {
    return this.clock ?? defaultClock
  }

  #timers(queueTimeoutMs: number | undefined): TimerList | null {
    return queueTimeoutMs === undefined ? null : new TimerList(queueTimeoutMs, this.#clock)
  }

  #tell<E extends keyof BulkheadEvents>(event: E, what: BulkheadEvents[E]): void {
    this.events.emit(event, what)
    if (diagnostics.policy.hasSubscribers) diagnostics.policy.publish({ policy: this.#kind, event, ...what })
  }
}

function gaveUp(ctx: GuardContext, name: string): HoldfastError {
  const why = ctx.reason
  if (why instanceof HoldfastError && (why.code === 'TIMEOUT' || why.code === 'DEADLINE'))
    return refusal(why.code as HoldfastCode, `${why.message}; still waiting in ${name}`)
  return refusal('ABORTED', `the caller gave up while waiting in ${name}`, { retry: 'never', cause: why })
}
