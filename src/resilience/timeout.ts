import type { Clock } from '../core/clock.ts'
import { diagnostics } from '../core/diagnostics.ts'
import { type HoldfastError, refusal } from '../core/errors.ts'
import { Emitter } from '../core/events.ts'
import type { Racer, RacingCall } from '../core/frame/types.ts'
import type { Policy } from '../core/handler.ts'
import { checkOptions } from '../core/options.ts'
import { clock, durationMs, optional, required, text } from '../core/rules.ts'
import { TimerList } from '../core/timer-list.ts'
import { type Managed, managed, managedKind, type Owner } from './managed.ts'

export interface TimeoutOptions {
  /** How long the caller waits at most, in milliseconds; at least 1. A tighter deadline of the context wins. */
  readonly timeoutMs: number
  /** Stands for it in errors; default `timeout`. */
  readonly name?: string
  readonly clock?: Clock
}

export interface TimeoutStats {
  readonly calls: number
  /** Calls answered because their time was over. */
  readonly timedOut: number
  /** Calls refused because the context's deadline had already passed. */
  readonly expired: number
  readonly timeoutMs: number
}

export type TimeoutEvents = { readonly timedOut: { readonly name: string; readonly timeoutMs: number } }

export interface Timeout extends Policy, Managed<TimeoutStats, Pick<TimeoutOptions, 'timeoutMs'>, TimeoutEvents> {
  readonly name: string
}

/**
 * Answers the caller after `timeoutMs` at the latest, and aborts `ctx.signal` for the work inside.
 *
 * The caller is answered at once, whether or not the work listens to its signal; work that does not is abandoned, and the permits around
 * it (a bulkhead's slot) stay taken until it really settles. One call that is late never disturbs another. Inside a tighter deadline it
 * arms nothing: whoever made that deadline keeps its timer.
 *
 * @throws {HoldfastError} `TIMEOUT` (effect unknown once the work had begun, none while it still waited inside; retry later) ·
 * `DEADLINE` (effect none) when the context's deadline had passed before the call · `INVALID_OPTIONS` (effect none).
 * @example
 * ```ts
 * const user = await timeout({ timeoutMs: 2_000 }).run(({ signal }) => fetch(url, { signal }))
 * ```
 */
export function timeout(options: TimeoutOptions): Timeout {
  return managed<Timeout>('timeout', { guard: new TimeoutGuard(checkOptions('timeout', options, rules)) }, timeoutKind)
}

const rules = { timeoutMs: required(durationMs({ min: 1, default: 1 })), name: text('timeout'), clock }
const changeable = { timeoutMs: optional(rules.timeoutMs) }

const timeoutKind = /* @__PURE__ */ managedKind<TimeoutEvents>({ timedOut: true })

class TimeoutGuard implements Racer, Owner<TimeoutStats, TimeoutEvents> {
  readonly races = true
  readonly timed = 'enter'
  readonly name: string
  readonly clock: Clock
  readonly events = new Emitter<TimeoutEvents>()
  #timeoutMs: number
  #armed: TimerList
  #calls = 0
  #timedOut = 0
  #expired = 0

  constructor(options: Required<TimeoutOptions>) {
    this.name = options.name
    this.clock = options.clock
    this.#timeoutMs = options.timeoutMs
    this.#armed = new TimerList(options.timeoutMs, options.clock)
  }

  stats(): TimeoutStats {
    return { calls: this.#calls, timedOut: this.#timedOut, expired: this.#expired, timeoutMs: this.#timeoutMs }
  }

  /** Calls in flight keep the time they began with. */
  reconfigure(changes: object): void {
    const { timeoutMs = this.#timeoutMs } = checkOptions(`timeout ${this.name}`, changes, changeable)
    if (timeoutMs === this.#timeoutMs) return
    this.#timeoutMs = timeoutMs
    this.#armed = new TimerList(timeoutMs, this.clock)
  }

  /** Never asked: a racer arms. */
  enter(): this {
    return this
  }

  arm(call: RacingCall, nowMs: number): HoldfastError | undefined {
    const limitMs = call.limitOnFrame(nowMs)
    this.#calls += 1
    if (limitMs !== null && limitMs <= nowMs) {
      this.#expired += 1
      return refusal('DEADLINE', `${this.name}: the deadline had passed before the call`)
    }
    if (limitMs !== null && limitMs <= nowMs + this.#timeoutMs) return undefined
    call.limitMs = nowMs + this.#timeoutMs
    this.#armed.add(call)
    return undefined
  }

  disarm(call: RacingCall): void {
    call.dueIn?.remove(call)
  }

  late(started: boolean): HoldfastError {
    this.#timedOut += 1
    this.events.emit('timedOut', { name: this.name, timeoutMs: this.#timeoutMs })
    if (diagnostics.policy.hasSubscribers)
      diagnostics.policy.publish({ policy: 'timeout', name: this.name, event: 'timedOut', timeoutMs: this.#timeoutMs })
    return refusal('TIMEOUT', `${this.name}: no answer within ${this.#timeoutMs} ms`, { effect: started ? 'unknown' : 'none' })
  }

  leave(): void {}
}
