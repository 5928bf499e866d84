import type { Clock } from '../core/clock.ts'
import { type HoldfastError, refusal } from '../core/errors.ts'
import type { Racer, RacingCall } from '../core/frame/types.ts'
import { guardPolicy } from '../core/guard-policy.ts'
import type { Policy } from '../core/handler.ts'
import { checkOptions } from '../core/options.ts'
import { clock, durationMs, required, text } from '../core/rules.ts'
import { TimerList } from '../core/timer-list.ts'

export interface TimeoutOptions {
  /** How long the caller waits at most, in milliseconds; at least 1. A tighter deadline of the context wins. */
  readonly timeoutMs: number
  /** Stands for it in errors; default `timeout`. */
  readonly name?: string
  readonly clock?: Clock
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
export function timeout(options: TimeoutOptions): Policy {
  return guardPolicy(new TimeoutGuard(checkOptions('timeout', options, rules)))
}

const rules = { timeoutMs: required(durationMs({ min: 1, default: 1 })), name: text('timeout'), clock }

class TimeoutGuard implements Racer {
  readonly races = true
  readonly timed = true
  readonly name: string
  readonly clock: Clock
  readonly #timeoutMs: number
  readonly #armed: TimerList

  constructor(options: Required<TimeoutOptions>) {
    this.name = options.name
    this.clock = options.clock
    this.#timeoutMs = options.timeoutMs
    this.#armed = new TimerList(options.timeoutMs, options.clock)
  }

  /** Never asked: a racer arms. */
  enter(): this {
    return this
  }

  arm(call: RacingCall, nowMs: number): HoldfastError | undefined {
    const limitMs = call.limitOnFrame(nowMs)
    if (limitMs !== null && limitMs <= nowMs) return refusal('DEADLINE', `${this.name}: the deadline had passed before the call`)
    if (limitMs !== null && limitMs <= nowMs + this.#timeoutMs) return undefined
    call.limitMs = nowMs + this.#timeoutMs
    this.#armed.add(call)
    return undefined
  }

  disarm(call: RacingCall): void {
    this.#armed.remove(call)
  }

  late(started: boolean): HoldfastError {
    return refusal('TIMEOUT', `${this.name}: no answer within ${this.#timeoutMs} ms`, { effect: started ? 'unknown' : 'none' })
  }

  leave(): void {}
}
