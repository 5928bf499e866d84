import type { Clock } from '../core/clock.ts'
import { type Ctx, freshCtx } from '../core/ctx.ts'
import type { Policy } from '../core/handler.ts'
import type { WrapPart } from '../core/inside.ts'
import type { Outcome, Verdict } from '../core/outcome.ts'
import { any, clock, fn, optional, text } from '../core/rules.ts'
import { type Managed, managed, managedKind } from './managed.ts'
import { isBudget, type RetryBudget } from './retry-budget.ts'
import { type RetryOptions, retryPlan } from './retry-options.ts'
import { type RetryEvents, Retrying, type RetryStats } from './retrying.ts'

export interface RetryPolicyOptions extends RetryOptions {
  /** Retries results, too: an answer that it calls a `'failure'` is tried again; the last one is answered as it is. Errors go by `retryIf`. */
  readonly classify?: (outcome: Outcome<unknown>) => Verdict
  /** Bounds retries as a share of calls, together with everything that shares the budget; retries inside this one draw from it, too. */
  readonly budget?: RetryBudget
  /** Default `retry`. */
  readonly name?: string
  readonly clock?: Clock
}

type Changeable = Omit<RetryPolicyOptions, 'name' | 'clock' | 'classify' | 'budget'>

export interface Retry extends Policy, Managed<RetryStats, Changeable, RetryEvents> {
  readonly name: string
}

/**
 * Calls again when the work fails, with growing, jittered delays.
 *
<<<<<<< HEAD
 * Never waits past the context's deadline or `elapsedMaxMs`, and an abort ends a wait at once. `retryAfterMs` of an error (a server's
 * Retry-After, an open breaker's remaining time) is the least it waits. A refusal of a guard inside (an open breaker, a full bulkhead) uses
 * no attempt: it is waited out where a deadline or `elapsedMaxMs` bounds that, and thrown at once where nothing does. Every attempt has the
 * same `ctx.idempotencyKey`; `ctx.attempt` counts from 1.
=======
 * Never waits past the context's deadline or `elapsedMaxMs`, and an abort ends a wait at once. A refusal of a guard inside (an open
 * breaker, a full bulkhead) uses no attempt: it is waited out where a deadline or `elapsedMaxMs` bounds that, and thrown at once where
 * nothing does; so is an error whose `retryAfterMs` is longer than `delayMaxMs`. Every attempt has the same `ctx.idempotencyKey`;
 * `ctx.attempt` counts from 1.
>>>>>>> main
 *
 * @throws what the last attempt threw; where that was turned away or never sent, the last error of an attempt whose effect is unknown ·
 * {HoldfastError} `ABORTED`, `TIMEOUT`, `DEADLINE` (effect unknown; none if no attempt had an effect) when the caller's patience ended between
 * attempts · `INVALID_OPTIONS` (effect none).
 * @example
 * ```ts
 * const guard = policies(retry({ attempts: 4, delayMs: 50, elapsedMaxMs: 5_000 }), timeout({ timeoutMs: 1_000 }))
 * ```
 * Source: exponential and decorrelated backoff, M. Brooker, "Exponential Backoff And Jitter" (2015).
 */
export function retry(options?: RetryPolicyOptions): Retry {
  const { classify, budget, name, clock, ...plan } = retryPlan('retry', options, rules)
  const retrying = new Retrying({ plan, classify, budget, name, clock })
  const part: WrapPart = {
    name,
    owner: retrying,
    repeats: true,
    clock,
    wrap: (next) => (input, ctx) => retrying.first(next, input, ctx ?? freshCtx()),
    // A retry that looks at results, or hands a budget on, has to see the first attempt, too.
    ...(classify === undefined && budget === undefined
      ? {
          rescue: (again) => (input, outer, error, call) => retrying.rest(again, input, outer ?? originOf(call), { error }, call.enteredMs),
        }
      : {}),
  }
  return managed<Retry>('retry', part, retryKind)
}

const rules = {
  classify: optional(fn<(outcome: Outcome<unknown>) => Verdict>(() => 'success')),
  budget: optional(any<RetryBudget>('made by retryBudget()', isBudget, { available: 0, earn: () => {}, spend: () => false })),
  name: text('retry'),
  clock,
}

const retryKind = /* @__PURE__ */ managedKind()

/** The first attempt began without a context; from the second on there is one, and all share its idempotency key. */
function originOf(first: Ctx): Ctx {
  const origin = freshCtx()
  if (first.more !== null) origin.rare.key = first.more.key
  first.rare.origin = origin
  return origin
}
<<<<<<< HEAD
=======

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
      if (delayMs === undefined) throw unsure !== undefined && saysNothing(error) ? unsure.error : error
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
>>>>>>> main
