import type { Clock } from '../core/clock.ts'
import { freshCtx } from '../core/ctx.ts'
import { diagnostics } from '../core/diagnostics.ts'
import { Emitter } from '../core/events.ts'
import type { Next } from '../core/frame/types.ts'
import { checkOptions, type Read } from '../core/options.ts'
import { durationMs, optional, ratio, whole } from '../core/rules.ts'
import type { HedgeEvents, HedgeStats } from './hedge-options.ts'
import { HedgedCall } from './hedged-call.ts'
import { LatencyQuantile } from './latency-quantile.ts'
import type { Owner } from './managed.ts'

/** Calls that have to be known before a quantile of them means anything. */
const KNOWN_MIN = 20
/** Hedges saved up while none were needed. */
const SAVED_MAX = 10

export const settings = {
  delayMs: durationMs({ min: 1, default: 100 }),
  quantile: optional(ratio({ min: 0.001, max: 0.999, default: 0.95 })),
  attempts: whole({ min: 2, max: 10, default: 2 }),
  hedgedMaxShare: ratio({ min: Number.MIN_VALUE, default: 0.1 }),
}
type Settings = Read<typeof settings>

export class HedgeOwner implements Owner<HedgeStats, HedgeEvents> {
  readonly name: string
  readonly clock: Clock
  readonly events = new Emitter<HedgeEvents>()
  #settings: Settings
  #observed: LatencyQuantile | null
  #saved = SAVED_MAX
  #calls = 0
  #hedged = 0
  #won = 0
  #withheld = 0

  constructor(options: Settings & { readonly name: string; readonly clock: Clock }) {
    const { name, clock, ...own } = options
    this.name = name
    this.clock = clock
    this.#settings = own
    this.#observed = own.quantile === undefined ? null : new LatencyQuantile(own.quantile)
  }

  get attempts(): number {
    return this.#settings.attempts
  }

  get delayMs(): number {
    const observed = this.#observed
    return observed === null || observed.known < KNOWN_MIN ? this.#settings.delayMs : Math.max(1, observed.estimateMs)
  }

  stats(): HedgeStats {
    return { calls: this.#calls, hedged: this.#hedged, won: this.#won, withheld: this.#withheld, delayMs: this.delayMs }
  }

  reconfigure(changes: object): void {
    const checked = checkOptions(`hedge ${this.name}`, changes, settings)
    const former = this.#settings
    const named = Object.fromEntries(Object.entries(checked).filter(([option]) => Object.hasOwn(changes, option)))
    this.#settings = { ...former, ...named }
    const { quantile } = this.#settings
    if (quantile !== former.quantile) this.#observed = quantile === undefined ? null : new LatencyQuantile(quantile)
  }

  readonly wrap = (next: Next): Next => {
    return (input, ctx) => {
      this.#calls += 1
      this.#saved = Math.min(SAVED_MAX, this.#saved + this.#settings.hedgedMaxShare)
      return new HedgedCall(this, next, input, ctx ?? freshCtx()).promise
    }
  }

  /** Whether one more attempt may start; it is counted then. */
  mayHedge(attempt: number, delayMs: number): boolean {
    if (this.#saved < 1) {
      this.#withheld += 1
      return false
    }
    this.#saved -= 1
    this.#hedged += 1
    this.events.emit('hedged', { name: this.name, attempt, delayMs })
    if (diagnostics.policy.hasSubscribers)
      diagnostics.policy.publish({ policy: 'hedge', name: this.name, event: 'hedged', attempt, delayMs })
    return true
  }

  /** `tookMs` is the answering attempt's own time. */
  answered(attempt: number, tookMs: number): void {
    if (attempt > 1) this.#won += 1
    this.#observed?.record(tookMs)
  }
}
