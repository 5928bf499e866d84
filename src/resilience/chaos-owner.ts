import { abortedError } from '../core/abort-errors.ts'
import type { Clock } from '../core/clock.ts'
import { type Ctx, freshCtx } from '../core/ctx.ts'
import { diagnostics } from '../core/diagnostics.ts'
import { Emitter } from '../core/events.ts'
import type { Next } from '../core/frame/types.ts'
import { checkOptions, invalidOption, type Read } from '../core/options.ts'
import { any, flag, fn, optional, ratio } from '../core/rules.ts'
import type { ChaosEvents, ChaosSettings, ChaosStats } from './chaos-options.ts'
import type { Owner } from './managed.ts'
import { nap } from './nap.ts'
import { seeded } from './seeded.ts'

type Latency = NonNullable<ChaosSettings['latencyMs']>

const isMs = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER
const isRange = (value: unknown): boolean => {
  const { min, max } = (value ?? {}) as { readonly min?: unknown; readonly max?: unknown }
  return isMs(min) && isMs(max) && min <= max
}
const make = fn<() => unknown>(() => undefined)

export const settings = {
  rate: ratio({ default: 0.1 }),
  latencyMs: any<Latency>('a number of at least 0, or { min, max } of such', (value) => isMs(value) || isRange(value), 0),
  fault: optional(make),
  outcome: optional(make),
  enabled: flag(true),
}
type Settings = Read<typeof settings>

export class ChaosOwner implements Owner<ChaosStats, ChaosEvents> {
  readonly name: string
  readonly events = new Emitter<ChaosEvents>()
  readonly #clock: Clock
  readonly #random: () => number
  #settings: Settings
  #calls = 0
  #disturbed = 0

  constructor(options: Settings & { readonly name: string; readonly seed: number | undefined; readonly clock: Clock }) {
    const { name, seed = Math.floor(Math.random() * 4_294_967_296), clock, ...own } = options
    this.name = name
    this.#clock = clock
    this.#random = seeded(seed)
    this.#settings = consistent(name, own)
  }

  stats(): ChaosStats {
    return { calls: this.#calls, disturbed: this.#disturbed, enabled: this.#settings.enabled }
  }

  reconfigure(changes: object): void {
    const checked = checkOptions(`chaos ${this.name}`, changes, settings)
    const named = Object.fromEntries(Object.entries(checked).filter(([option]) => Object.hasOwn(changes, option)))
    this.#settings = consistent(this.name, { ...this.#settings, ...named })
  }

  readonly wrap = (next: Next): Next => {
    return (input, ctx) => {
      const { enabled, rate } = this.#settings
      if (!enabled) return next(input, ctx ?? freshCtx())
      this.#calls += 1
      // The same numbers are drawn for every call, disturbed or not, so that what a call meets depends on its place in the sequence alone.
      const drawn = this.#random()
      const latencyMs = this.#latencyMs(this.#random())
      return drawn < rate ? this.#disturb(next, input, ctx ?? freshCtx(), latencyMs) : next(input, ctx ?? freshCtx())
    }
  }

  #latencyMs(share: number): number {
    const { latencyMs } = this.#settings
    return typeof latencyMs === 'number' ? latencyMs : latencyMs.min + share * (latencyMs.max - latencyMs.min)
  }

  async #disturb(next: Next, input: unknown, ctx: Ctx, latencyMs: number): Promise<unknown> {
    const { fault, outcome } = this.#settings
    this.#disturbed += 1
    const answered = fault !== undefined ? 'fault' : outcome !== undefined ? 'outcome' : 'work'
    this.events.emit('disturbed', { name: this.name, latencyMs, answered })
    if (diagnostics.policy.hasSubscribers)
      diagnostics.policy.publish({ policy: 'chaos', name: this.name, event: 'disturbed', latencyMs, answered })
    if (latencyMs > 0) await nap(latencyMs, ctx, this.#clock)
    if (ctx.aborted) throw abortedError(ctx, false)
    if (fault !== undefined) throw fault()
    return outcome === undefined ? next(input, ctx) : outcome()
  }
}

function consistent(name: string, own: Settings): Settings {
  if (own.fault !== undefined && own.outcome !== undefined)
    throw invalidOption(`chaos ${name}`, 'fault', 'absent where outcome is given: a call has one answer', own.fault)
  return own
}
