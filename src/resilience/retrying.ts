import { abortedError } from '../core/abort-errors.ts'
import type { Clock } from '../core/clock.ts'
import { Ctx } from '../core/ctx.ts'
import { diagnostics } from '../core/diagnostics.ts'
import { effectOf, retryOf } from '../core/effect.ts'
import { HoldfastError, isRefusal } from '../core/errors.ts'
import { Emitter } from '../core/events.ts'
import type { Next } from '../core/frame/types.ts'
import { changeMeta, type Meta } from '../core/meta.ts'
import type { Outcome, Verdict } from '../core/outcome.ts'
import type { Owner } from './managed.ts'
import { nap } from './nap.ts'
import type { RetryBudget } from './retry-budget.ts'
import { checkRetryChanges, type RetryOptions, type RetryPlan, retryPlan } from './retry-options.ts'

export interface RetryStats {
  /** Calls that failed at least once and were looked at for another attempt. */
  readonly failed: number
  /** Attempts after the first. */
  readonly retried: number
  /** Calls that a later attempt answered. */
  readonly recovered: number
  /** Retries not made because the budget was used up. */
  readonly overBudget: number
}

export type RetryEvents = {
  readonly retried: { readonly name: string; readonly attempt: number; readonly delayMs: number; readonly error: unknown }
}

/** A failure: an error, or an answer that the classifier calls one. */
type Failure = { readonly error: unknown } | { readonly value: unknown }

interface Settings {
  readonly plan: RetryPlan
  readonly classify: ((outcome: Outcome<unknown>) => Verdict) | undefined
  readonly budget: RetryBudget | undefined
  readonly name: string
  readonly clock: Clock
}

/** Under it a retry hands its budget on. */
const BUDGET = Symbol.for('holdfast/retry-budget')

export class Retrying implements Owner<RetryStats, RetryEvents> {
  readonly name: string
  readonly events = new Emitter<RetryEvents>()
  readonly #settings: Settings
  readonly #metas = new WeakMap<Meta, Meta>()
  #plan: RetryPlan
  #plainly: boolean
  #failed = 0
  #retried = 0
  #recovered = 0
  #overBudget = 0

  constructor(settings: Settings) {
    this.name = settings.name
    this.#settings = settings
    this.#plan = settings.plan
    this.#plainly = this.#isPlain
  }

  get #isPlain(): boolean {
    return (
      this.#settings.classify === undefined && this.#settings.budget === undefined && this.#plan.elapsedMaxMs === Number.POSITIVE_INFINITY
    )
  }

  stats(): RetryStats {
    return { failed: this.#failed, retried: this.#retried, recovered: this.#recovered, overBudget: this.#overBudget }
  }

  reconfigure(changes: object): void {
    const { delayAfterMs, ...former } = this.#plan
    void delayAfterMs
    const owner = `retry ${this.name}`
    const named = Object.fromEntries(Object.entries(checkRetryChanges(owner, changes)).filter(([, value]) => value !== undefined))
    this.#plan = retryPlan(owner, withoutEndless({ ...former, ...named }))
    this.#plainly = this.#isPlain
  }

  first(next: Next, input: unknown, outer: Ctx): Promise<unknown> {
    if (this.#plainly && outer.attempt === 1) return this.#firstPlainly(next, input, outer)
    const { budget } = this.#settings
    if (budget === undefined || outer.values.has(BUDGET)) return this.#firstOf(next, input, outer)
    // A context of its own for the budget, which has to leave the caller's with the call.
    return once((same, ctx) => this.#firstOf(next, same, ctx as Ctx), input, this.#withBudget(outer, budget))
  }

  #firstOf(next: Next, input: unknown, ctx: Ctx): Promise<unknown> {
    const { classify, clock } = this.#settings
    const startedMs = this.#plan.elapsedMaxMs === Number.POSITIVE_INFINITY ? Number.NaN : clock.nowMs()
    let answer: unknown
    try {
      // Below another retry, or a consumer that counts deliveries: attempts are counted by the nearest, so the first has a context, too.
      answer = ctx.attempt === 1 ? next(input, ctx) : once(next, input, ctx.child(1))
    } catch (error) {
      return this.rest(next, input, ctx, { error }, startedMs)
    }
    const promise = answer instanceof Promise ? answer : Promise.resolve(answer)
    const onError = (error: unknown): Promise<unknown> => this.rest(next, input, ctx, { error }, startedMs)
    if (classify === undefined) return promise.then(undefined, onError)
    return promise.then((value: unknown) => (this.#accepts(value) ? value : this.rest(next, input, ctx, { value }, startedMs)), onError)
  }

  /** The way of nearly every call: nothing to look at but whether it fails. */
  #firstPlainly(next: Next, input: unknown, ctx: Ctx): Promise<unknown> {
    let answer: unknown
    try {
      answer = next(input, ctx)
    } catch (error) {
      return this.rest(next, input, ctx, { error }, Number.NaN)
    }
    const promise = answer instanceof Promise ? answer : Promise.resolve(answer)
    return promise.then(undefined, (error: unknown) => this.rest(next, input, ctx, { error }, Number.NaN))
  }

  /** Everything after the first failure. `startedMs` is NaN where no one asked for the time. */
  async rest(next: Next, input: unknown, ctx: Ctx, first: Failure, startedMs: number): Promise<unknown> {
    this.#failed += 1
    let failure: Failure = first
    let attempt = 1
    let delayMs: number | undefined
    let unsure: { readonly error: unknown } | undefined
    for (;;) {
      const turnedAway = 'error' in failure && isRefusal(failure.error)
      if ('error' in failure && effectOf(failure.error) === 'unknown') unsure = failure
      delayMs = this.#delayMs(ctx, failure, turnedAway, attempt, startedMs, delayMs)
      if (delayMs === undefined) return answered(failure, unsure, ctx)
      if (delayMs > 0) await nap(delayMs, ctx, this.#settings.clock)
      if (ctx.aborted) throw abortedError(ctx, !turnedAway || unsure !== undefined)
      if (!turnedAway) attempt += 1
      this.#tell(attempt, delayMs, failure)
      try {
        const value = await once(next, input, ctx.child(attempt))
        if (this.#accepts(value)) {
          this.#recovered += 1
          return value
        }
        failure = { value }
      } catch (error) {
        failure = { error }
      }
    }
  }

  #accepts(value: unknown): boolean {
    const { classify } = this.#settings
    if (classify === undefined) return true
    try {
      return classify({ ok: true, value }) !== 'failure'
    } catch {
      // A classifier that throws must not cost the caller its answer.
      return true
    }
  }

  /** How long to wait before the next attempt; undefined when there is none. */
  #delayMs(
    ctx: Ctx,
    failure: Failure,
    turnedAway: boolean,
    attempt: number,
    startedMs: number,
    beforeMs: number | undefined,
  ): number | undefined {
    const error = 'error' in failure ? failure.error : undefined
    if (error instanceof HoldfastError && error.code === 'ABORTED') return undefined
    if (ctx.aborted || ('error' in failure && !this.#plan.retryIf(error))) return undefined
    if (!turnedAway && attempt >= this.#plan.attempts) return undefined
    const elapsedMs = Number.isNaN(startedMs) ? 0 : this.#settings.clock.nowMs() - startedMs
    const leftMs = Math.min(ctx.remainingMs, this.#plan.elapsedMaxMs - elapsedMs)
    const drawnMs = this.#plan.delayAfterMs(attempt, error, beforeMs)
    if (leftMs === Number.POSITIVE_INFINITY && (turnedAway || drawnMs > this.#plan.delayMaxMs)) return undefined
    const delayMs = turnedAway ? Math.max(drawnMs, REFUSED_DELAY_MIN_MS) : drawnMs
    if (delayMs >= leftMs) return undefined
    return turnedAway || this.#affords(ctx) ? delayMs : undefined
  }

  #affords(ctx: Ctx): boolean {
    const budget = ctx.values.get(BUDGET) as RetryBudget | undefined
    if (budget === undefined || budget.spend()) return true
    this.#overBudget += 1
    return false
  }

  /** Hands the budget on, and lets the call earn; a retry inside one that did so already does neither. */
  #withBudget(outer: Ctx, budget: RetryBudget): Ctx {
    budget.earn()
    let meta = this.#metas.get(outer.meta)
    if (meta === undefined) {
      meta = changeMeta(outer.meta, { values: new Map(outer.values).set(BUDGET, budget) })
      this.#metas.set(outer.meta, meta)
    }
    return new Ctx(outer, outer.limitMs, outer.attempt, meta, outer.live)
  }

  #tell(attempt: number, delayMs: number, failure: Failure): void {
    this.#retried += 1
    const error = 'error' in failure ? failure.error : undefined
    this.events.emit('retried', { name: this.name, attempt, delayMs, error })
    if (diagnostics.policy.hasSubscribers)
      diagnostics.policy.publish({ policy: 'retry', name: this.name, event: 'retried', attempt, delayMs })
  }
}

/** One attempt under a context of its own, which ends with it. */
async function once(next: Next, input: unknown, own: Ctx): Promise<unknown> {
  try {
    return await next(input, own)
  } finally {
    own.whenIdle(() => own.end())
  }
}

/** A plan's own default for "no limit" is no number that an option may have. */
function withoutEndless(options: RetryOptions): RetryOptions {
  const { elapsedMaxMs, ...rest } = options
  return elapsedMaxMs === undefined || elapsedMaxMs === Number.POSITIVE_INFINITY ? rest : options
}

function answered(failure: Failure, unsure: { readonly error: unknown } | undefined, ctx: Ctx): unknown {
  if (!('error' in failure)) return failure.value
  const { error } = failure
  if (unsure === undefined || !(saysNothing(error) || isAbort(error))) throw error
  throw ctx.aborted ? abortedError(ctx, true) : unsure.error
}

/** An attempt that was aborted before it began says nothing of those before it either. */
const isAbort = (error: unknown): boolean => error instanceof HoldfastError && error.code === 'ABORTED' && error.effect === 'none'

/** That the last attempt was turned away or never sent is no news of those before it, whose effect is still unknown; a definite no is. */
const saysNothing = (error: unknown): boolean => effectOf(error) === 'none' && retryOf(error) === 'later'

/** A refusal costs its guard little and uses no attempt: without a floor, a delay of 0 would spin until the deadline. */
const REFUSED_DELAY_MIN_MS = 10
