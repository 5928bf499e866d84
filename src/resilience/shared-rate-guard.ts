import { abortedError } from '../core/abort-errors.ts'
import type { Clock, Timer } from '../core/clock.ts'
import { diagnostics } from '../core/diagnostics.ts'
import { Emitter } from '../core/events.ts'
import type { Guard, GuardContext, Permit, Refusal } from '../core/guard.ts'
import { checkOptions } from '../core/options.ts'
import type { KeyValue } from '../ports/key-value.ts'
import { Waiter, type WaiterOwner, WaiterQueue } from './bulkhead-queue.ts'
import type { Limit, Meter } from './limits.ts'
import type { Owner } from './managed.ts'
import { changeable, type RateLimitEvents, type RateLimitStats, rateRefusal } from './rate-readouts.ts'
import type { SharedMeter } from './shared-meters.ts'
import { checkShareable } from './shared-rate-options.ts'
import { SharedTaker, type Taken } from './shared-taker.ts'

/** After a failure the store is left alone for so long. */
const PAUSE_MS = 1_000
/** Callers that may wait for one answer of the store, besides those that may wait for their turn. */
const ASKING_MAX = 10_000

interface Given {
  readonly name: string
  readonly clock: Clock
  readonly limit: Limit
  readonly queued: number
  readonly store: KeyValue
  readonly key: string | undefined
  readonly whenStoreFails: 'local' | 'admit' | 'refuse'
  readonly localShare: number
  readonly storeTimeoutMs: number
  readonly block: number | undefined
}

/** What a process keeps to by itself while the store fails, and until when. */
interface Alone {
  readonly meter: Meter
  readonly untilMs: number
  readonly cause: unknown
}

/** A rate limit that many processes keep to together: it takes calls from the store for those who wait, and a few for those to come. */
export class SharedRateGuard implements WaiterOwner, Guard, Permit, Owner<RateLimitStats, RateLimitEvents> {
  readonly timed = 'enter'
  readonly name: string
  readonly clock: Clock
  readonly events = new Emitter<RateLimitEvents>()
  readonly #given: Given
  readonly #taker: SharedTaker
  readonly #queue = new WaiterQueue()
  #limit: Limit
  #meter: SharedMeter
  #queued: number
  /** Taken for whoever comes, until then. */
  #stock: Pick<Taken, 'taken' | 'untilMs'> & { taken: number } = { taken: 0, untilMs: 0 }
  /** How many are taken for callers to come: doubles while all are used, and is what was used where some were not. */
  #ahead = 0
  /** Nothing is left in the store before then. */
  #emptyUntilMs = 0
  /** Not null once the store has failed, until it answers. */
  #alone: Alone | null = null
  #failing = false
  #asking = false
  #timer: Timer | null = null
  /** When those who wait are looked at again. */
  #dueMs = 0
  #admitted = 0
  #refused = 0
  #asked = 0
  #failed = 0

  constructor(given: Given) {
    this.#given = given
    this.name = given.name
    this.clock = given.clock
    this.#queued = given.queued
    this.#limit = given.limit
    this.#meter = this.#metered(given.limit)
    this.#taker = new SharedTaker({ ...given, key: given.key ?? `holdfast/rate/${given.name}` })
  }

  stats(): RateLimitStats {
    return {
      admitted: this.#admitted,
      refused: this.#refused,
      waiting: this.#queue.size,
      store: { asked: this.#asked, failed: this.#failed, failing: this.#failing },
    }
  }

  reconfigure(changes: object): void {
    const { limit, queued } = checkOptions(`rateLimit ${this.name}`, changes, changeable)
    if (limit !== undefined) {
      this.#meter = this.#metered(limit)
      this.#limit = limit
      this.#alone = null
      this.#emptyUntilMs = 0
    }
    if (queued !== undefined) this.#queued = queued
    if (this.#queue.size > 0) this.#ask()
  }

  enter(ctx: GuardContext, nowMs: number): Permit | Refusal | Promise<Permit | Refusal> {
    // Whoever waits goes first.
    if (this.#queue.size === 0 && this.#stock.taken > 0 && nowMs < this.#stock.untilMs) {
      this.#stock.taken -= 1
      return this.#admit()
    }
    if (ctx.aborted) return abortedError(ctx, false)
    const alone = this.#asking ? null : this.#aloneAt(nowMs)
    if (alone !== null && this.#given.whenStoreFails === 'refuse') return this.#refuse(alone.untilMs - nowMs)
    const waitMs = this.#asking ? 0 : this.#knownWaitMs(alone, nowMs)
    if (Number.isNaN(waitMs)) return this.#admit()
    if (this.#queue.size >= this.#queued + (waitMs > 0 ? 0 : ASKING_MAX) || waitMs >= ctx.remainingMs) return this.#refuse(waitMs)
    return new Promise((answer) => {
      const waiter = new Waiter(ctx, answer, this)
      this.#queue.push(waiter)
      ctx.listen(waiter)
      if (waitMs === 0) this.#ask()
      else if (this.#timer === null) this.#arm(waitMs)
    })
  }

  leave(): void {}

  gaveUp(waiter: Waiter): void {
    if (this.#queue.remove(waiter)) waiter.answer(abortedError(waiter.ctx, false))
    if (this.#queue.size === 0) this.#disarm()
  }

  /** How long a newcomer waits at least, by what is known here; 0: ask the store; NaN: it passes, the store being away. */
  #knownWaitMs(alone: Alone | null, nowMs: number): number {
    if (alone === null) return Math.max(0, this.#emptyUntilMs - nowMs)
    if (this.#given.whenStoreFails === 'admit') return Number.NaN
    // Those who wait already are served by the timer.
    return this.#queue.size > 0 ? Math.max(1, this.#dueMs - nowMs) : alone.meter.take(nowMs) || Number.NaN
  }

  #aloneAt(nowMs: number): Alone | null {
    return this.#alone !== null && nowMs < this.#alone.untilMs ? this.#alone : null
  }

  #admit(): Permit {
    this.#admitted += 1
    return this
  }

  #refuse(waitMs: number): Refusal {
    this.#refused += 1
    const cause = this.#failing && this.#given.whenStoreFails === 'refuse' ? this.#alone?.cause : undefined
    this.events.emit('refused', { name: this.name, retryAfterMs: waitMs })
    if (diagnostics.policy.hasSubscribers)
      diagnostics.policy.publish({ policy: 'rateLimit', name: this.name, event: 'refused', retryAfterMs: waitMs })
    return rateRefusal(this.name, { waitMs, queued: this.#queued, waiting: this.#queue.size, ...(cause !== undefined && { cause }) })
  }

  #ask(): void {
    if (this.#asking) return
    this.#asking = true
    this.#disarm()
    void this.#askStore()
  }

  async #askStore(): Promise<void> {
    const wanted = this.#queue.size + this.#aheadNow()
    this.#asked += 1
    try {
      const taken = await this.#taker.take(this.#meter, wanted)
      this.#asking = false
      this.#answered(taken, wanted)
    } catch (error) {
      this.#asking = false
      this.#lost(error)
    }
  }

  /** For how many callers to come to take, by how the last ones were used. */
  #aheadNow(): number {
    const most = (this.#given.block ?? this.#limit.block ?? 1) - 1
    const used = this.#stock.taken === 0
    this.#ahead = Math.min(most, used ? this.#ahead * 2 + 1 : Math.max(0, this.#ahead - this.#stock.taken))
    return this.#ahead
  }

  #answered({ taken, untilMs, waitMs }: Taken, wanted: number): void {
    this.#tell(false)
    this.#alone = null
    this.#stock = { taken, untilMs }
    const nowMs = this.clock.nowMs()
    this.#emptyUntilMs = taken < wanted ? nowMs + waitMs : 0
    while (this.#queue.size > 0 && this.#stock.taken > 0 && nowMs < untilMs) {
      this.#stock.taken -= 1
      this.#pass()
    }
    // Who came while the store was asked, and those for whom it answered too late.
    if (this.#queue.size > 0) this.#settle(taken === wanted ? 0 : waitMs)
  }

  #lost(cause: unknown): void {
    this.#failed += 1
    this.#tell(true, cause)
    const nowMs = this.clock.nowMs()
    this.#alone = { meter: this.#alone?.meter ?? this.#limit.part(this.#given.localShare).meter(nowMs), untilMs: nowMs + PAUSE_MS, cause }
    this.#stock = { taken: 0, untilMs: 0 }
    this.#serveAlone()
  }

  #serveAlone(): void {
    while (this.#queue.size > 0) {
      const waitMs = this.#ownWaitMs()
      if (waitMs > 0) {
        this.#settle(waitMs, this.#given.whenStoreFails === 'refuse' ? 0 : this.#queued)
        return
      }
      this.#pass()
    }
  }

  #ownWaitMs(): number {
    const { whenStoreFails } = this.#given
    if (whenStoreFails === 'admit') return 0
    return whenStoreFails === 'refuse' ? PAUSE_MS : (this.#alone as Alone).meter.take(this.clock.nowMs())
  }

  #pass(): void {
    const oldest = this.#queue.shift() as Waiter
    oldest.ctx.unlisten(oldest)
    oldest.answer(this.#admit())
  }

  /** Nobody passes for so long: the oldest wait, as many as may and have the time; the others are told. */
  #settle(waitMs: number, queued = this.#queued): void {
    if (waitMs === 0) {
      this.#ask()
      return
    }
    for (let left = this.#queue.size, kept = 0; left > 0; left--) {
      const waiter = this.#queue.shift() as Waiter
      if (kept < queued && waitMs < waiter.ctx.remainingMs) {
        kept += 1
        this.#queue.push(waiter)
      } else {
        waiter.ctx.unlisten(waiter)
        waiter.answer(this.#refuse(waitMs))
      }
    }
    if (this.#queue.size > 0) this.#arm(waitMs)
  }

  #arm(waitMs: number): void {
    this.#disarm()
    this.#dueMs = this.clock.nowMs() + waitMs
    this.#timer = this.clock.setTimer(() => {
      this.#timer = null
      if (this.#aloneAt(this.clock.nowMs()) === null) this.#ask()
      else this.#serveAlone()
    }, waitMs)
  }

  #disarm(): void {
    this.#timer?.clear()
    this.#timer = null
  }

  #metered(limit: Limit): SharedMeter {
    checkShareable(`rateLimit ${this.name}`, limit)
    return limit.shared(this.#given.storeTimeoutMs)
  }

  #tell(failing: boolean, error?: unknown): void {
    if (this.#failing === failing) return
    this.#failing = failing
    if (failing) this.events.emit('storeFailed', { name: this.name, error })
    else this.events.emit('storeBack', { name: this.name })
    if (diagnostics.policy.hasSubscribers)
      diagnostics.policy.publish({ policy: 'rateLimit', name: this.name, event: failing ? 'storeFailed' : 'storeBack' })
  }
}
