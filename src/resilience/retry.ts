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
 * Never waits past the context's deadline or `elapsedMaxMs`, and an abort ends a wait at once. `retryAfterMs` of an error (a server's
 * Retry-After, an open breaker's remaining time) is the least it waits. A refusal of a guard inside (an open breaker, a full bulkhead) uses
 * no attempt: it is waited out where a deadline or `elapsedMaxMs` bounds that, and thrown at once where nothing does; so is an error whose
 * `retryAfterMs` is longer than `delayMaxMs`. Every attempt has the same `ctx.idempotencyKey`; `ctx.attempt` counts from 1.
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

const retryKind = /* @__PURE__ */ managedKind<RetryEvents>({ retried: true })

/** The first attempt began without a context; from the second on there is one, and all share its idempotency key. */
function originOf(first: Ctx): Ctx {
  const origin = freshCtx()
  if (first.more !== null) origin.rare.key = first.more.key
  first.rare.origin = origin
  return origin
}
