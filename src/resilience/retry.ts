import { abortedError } from '../core/abort-errors.ts'
import type { Clock } from '../core/clock.ts'
import { type Ctx, freshCtx } from '../core/ctx.ts'
import { effectOf, retryOf } from '../core/effect.ts'
import { HoldfastError, isRefusal } from '../core/errors.ts'
import type { Next } from '../core/frame/types.ts'
import type { Policy } from '../core/handler.ts'
import { makePolicy } from '../core/policy.ts'
import { clock } from '../core/rules.ts'
import { Waiting } from '../core/waiting.ts'
import { type RetryOptions, type RetryPlan, retryPlan } from './retry-options.ts'

/**
 * Calls again when the work fails, with growing, jittered delays.
 *
 * Never waits past the context's deadline or `elapsedMaxMs`, and an abort ends a wait at once. A refusal of a guard inside (an open
 * breaker, a full bulkhead) uses no attempt: it is waited out where a deadline or `elapsedMaxMs` bounds that, and thrown at once where
 * nothing does; so is an error whose `retryAfterMs` is longer than `delayMaxMs`. Every attempt has the same `ctx.idempotencyKey`;
 * `ctx.attempt` counts from 1.
 *
 * @throws whatever the last attempt threw; where that was turned away or never sent, the last error with an unknown effect, if there was
 * one · {HoldfastError} `ABORTED` (effect unknown) when the caller gave up between attempts ·
 * `INVALID_OPTIONS` (effect none).
 * @example
 * ```ts
 * const guard = policies(retry({ attempts: 4, delayMs: 50, elapsedMaxMs: 5_000 }), timeout({ timeoutMs: 1_000 }))
 * ```
 * Source: exponential backoff with jitter, M. Brooker, "Exponential Backoff And Jitter" (2015).
 */
export function retry(options?: RetryOptions & { readonly clock?: Clock }): Policy {
  const plan = retryPlan('retry', options, { clock })
  const retrying = new Retrying(plan, plan.clock)
  return makePolicy([
    {
      name: 'retry',
      repeats: true,
      clock: plan.clock,
      wrap: (next) => (input, ctx) => retrying.first(next, input, ctx ?? freshCtx()),
      rescue: (again) => (input, outer, error, call) => retrying.rest(again, input, outer ?? originOf(call), error, 1, call.enteredMs),
    },
  ])
}

/** The first attempt began without a context; from the second on there is one, and all share its idempotency key. */
function originOf(first: Ctx): Ctx {
  const origin = freshCtx()
  if (first.more !== null) origin.rare.key = first.more.key
  first.rare.origin = origin
  return origin
}

class Retrying {
  readonly #plan: RetryPlan
  readonly #clock: Clock
  constructor(plan: RetryPlan, clock: Clock) {
    this.#plan = plan
    this.#clock = clock
  }

  first(next: Next, input: unknown, ctx: Ctx): Promise<unknown> {
    const startedMs = this.#plan.elapsedMaxMs === Number.POSITIVE_INFINITY ? Number.NaN : this.#clock.nowMs()
    if (ctx.attempt !== 1) return this.#firstInside(next, input, ctx, startedMs)
    let answer: unknown
    try {
      answer = next(input, ctx)
    } catch (error) {
      return this.rest(next, input, ctx, error, 1, startedMs)
    }
    const promise = answer instanceof Promise ? answer : Promise.resolve(answer)
    return promise.then(undefined, (error: unknown) => this.rest(next, input, ctx, error, 1, startedMs))
  }

  /** Below another retry, or a consumer that counts deliveries: attempts are counted by the nearest, so the first has a context too. */
  async #firstInside(next: Next, input: unknown, ctx: Ctx, startedMs: number): Promise<unknown> {
    try {
      return await once(next, input, ctx.child(1))
    } catch (error) {
      return this.rest(next, input, ctx, error, 1, startedMs)
    }
  }

  /** Everything after the first failure. `attempt` have been used; `startedMs` is NaN where no one asked for the time. */
  async rest(next: Next, input: unknown, ctx: Ctx, firstError: unknown, firstAttempt: number, startedMs: number): Promise<unknown> {
    let error = firstError
    let attempt = firstAttempt
    let unsure: { readonly error: unknown } | undefined
    for (;;) {
      const turnedAway = isRefusal(error)
      if (effectOf(error) === 'unknown') unsure = { error }
      const delayMs = this.#delayMs(ctx, error, turnedAway, attempt, startedMs)
      if (delayMs === undefined) {
        if (unsure === undefined || !saysNothing(error)) throw error
        throw ctx.aborted ? abortedError(ctx, true) : unsure.error
      }
      if (delayMs > 0) await nap(delayMs, ctx, this.#clock)
      if (ctx.aborted) throw abortedError(ctx, !turnedAway || unsure !== undefined)
      if (!turnedAway) attempt += 1
      try {
        return await once(next, input, ctx.child(attempt))
      } catch (caught) {
        error = caught
      }
    }
  }

  /** How long to wait before the next attempt; undefined when there is none. */
  #delayMs(ctx: Ctx, error: unknown, turnedAway: boolean, attempt: number, startedMs: number): number | undefined {
    if (error instanceof HoldfastError && error.code === 'ABORTED') return undefined
    if (ctx.aborted || !this.#plan.retryIf(error)) return undefined
    if (!turnedAway && attempt >= this.#plan.attempts) return undefined
    const elapsedMs = Number.isNaN(startedMs) ? 0 : this.#clock.nowMs() - startedMs
    const budgetMs = Math.min(ctx.remainingMs, this.#plan.elapsedMaxMs - elapsedMs)
    const drawnMs = this.#plan.delayAfterMs(attempt, error)
    if (budgetMs === Number.POSITIVE_INFINITY && (turnedAway || drawnMs > this.#plan.delayMaxMs)) return undefined
    const delayMs = turnedAway ? Math.max(drawnMs, REFUSED_DELAY_MIN_MS) : drawnMs
    return delayMs < budgetMs ? delayMs : undefined
  }
}

/** That the last attempt was turned away or never sent is no news of those before it, whose effect is still unknown; a definite no is. */
const saysNothing = (error: unknown): boolean => effectOf(error) === 'none' && retryOf(error) === 'later'

/** One attempt under a context of its own, which ends with it. */
async function once(next: Next, input: unknown, own: Ctx): Promise<unknown> {
  try {
    return await next(input, own)
  } finally {
    own.whenIdle(() => own.end())
  }
}

/** A refusal costs its guard little and uses no attempt: without a floor, a delay of 0 would spin until the deadline. */
const REFUSED_DELAY_MIN_MS = 10

/** Resolves after `delayMs`, or as soon as the context is aborted. */
function nap(delayMs: number, ctx: Ctx, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.setTimer(() => {
      ctx.unlisten(sleeper)
      resolve()
    }, delayMs)
    const sleeper = new Sleeper(() => {
      timer.clear()
      resolve()
    })
    ctx.listen(sleeper)
  })
}

class Sleeper extends Waiting {
  readonly #wake: () => void
  constructor(wake: () => void) {
    super()
    this.#wake = wake
  }
  abortedBy(): void {
    this.#wake()
  }
}
