import { abortedError } from './abort-errors.ts'
import { ambientContext } from './ambient.ts'
import { contextRules } from './create-context.ts'
import { type Ctx, derive, freshCtx, isContext } from './ctx.ts'
import type { Next } from './frame/types.ts'
import type { RunOptions } from './handler.ts'
import { changeMeta, NO_META } from './meta.ts'
import { checkOptions, fits as fitsRule } from './options.ts'
import { any, optional } from './rules.ts'
import { Waiting } from './waiting.ts'

const { timeoutMs, signal, keys, idempotencyKey } = contextRules
const context = optional(any<Ctx | undefined>('a context made by createContext()', isContext, undefined))
const rules = { context, signal, timeoutMs, keys, idempotencyKey }

/** Makes of a call's input one that says when the work begins. */
export type Noted = (input: unknown, begun: () => void) => unknown

/** Answers a caller who gave up, at once; the work goes on alone and keeps its permits until it settles. */
class Edge extends Waiting {
  /** Until the work begins, certainly nothing has happened: it waits for a slot, or between attempts that were turned away. */
  begun = false
  answered = false
  constructor(
    readonly ctx: Ctx,
    readonly reject: (error: unknown) => void,
  ) {
    super()
  }
  abortedBy(): void {
    this.answered = true
    this.reject(abortedError(this.ctx, this.begun))
  }
  /** Called when the work begins. Where the caller has heard that nothing happened, nothing may: a wrapper that took its time comes too late. */
  begins(): void {
    if (this.answered && !this.begun) throw abortedError(this.ctx, false)
    this.begun = true
  }
}

/** Finds the context of a call: handed in, ambient, or fresh; changed as the options say. */
export function contextFor(options: RunOptions | undefined): Ctx | undefined {
  if (options === undefined) return ambientContext() as Ctx | undefined
  if (!wellFormed(options)) checkOptions('run', options, rules)
  const { signal, timeoutMs, keys, idempotencyKey } = options
  const parent = (options.context ?? ambientContext() ?? null) as Ctx | null
  const changed = keys !== undefined || idempotencyKey !== undefined
  if (!changed && signal === undefined && timeoutMs === undefined) return parent ?? undefined
  const base = parent?.meta ?? NO_META
  const meta = changed ? changeMeta(base, { keys, idempotencyKey }) : base
  return derive(parent, meta, parent?.attempt ?? 1, timeoutMs, signal)
}

/** The same rules as `checkOptions`, without its bookkeeping: that one only has to word the error. */
function wellFormed(options: unknown): options is RunOptions {
  try {
    if (typeof options !== 'object' || options === null || Array.isArray(options)) return false
    for (const name in options) if (!fits(name as keyof RunOptions, options)) return false
    return true
  } catch {
    return false
  }
}

const fits = (name: keyof RunOptions, options: RunOptions): boolean =>
  options[name] === undefined ? Object.hasOwn(rules, name) : Object.hasOwn(rules, name) && fitsRule(rules[name], options[name])

/** Calls a composed handler under the context the options ask for. */
export function underContext(call: Next, input: unknown, options: RunOptions | undefined, noted: Noted): Promise<unknown> {
  let ctx: Ctx
  try {
    ctx = contextFor(options) ?? freshCtx()
    if (!ctx.live || (call.answersAborts === true && !ctx.aborted)) {
      const answer = call(input, ctx)
      return answer instanceof Promise ? answer : Promise.resolve(answer)
    }
  } catch (error) {
    return Promise.reject(error)
  }
  if (ctx.aborted) return Promise.reject(abortedError(ctx, false))
  // One that outlives the call may hang on a signal that outlives everything: what reads `signal` inside has to leave with the call.
  const outlives = ctx === (options?.context ?? ambientContext())
  return raced(call, input, outlives ? ctx.child(ctx.attempt) : ctx, noted)
}

/** Races a call against its context, which was made for this call, so it ends with it. */
function raced(call: Next, input: unknown, ctx: Ctx, noted: Noted): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const edge = new Edge(ctx, reject)
    ctx.listen(edge)
    const done = (): void => {
      ctx.unlisten(edge)
      ctx.whenIdle(() => ctx.end())
    }
    const fulfil = (value: unknown): void => {
      done()
      resolve(value)
    }
    const fail = (error: unknown): void => {
      done()
      reject(error)
    }
    try {
      const answer = call(
        noted(input, () => edge.begins()),
        ctx,
      )
      if (answer instanceof Promise) answer.then(fulfil, fail)
      else Promise.resolve(answer).then(fulfil, fail)
    } catch (error) {
      fail(error)
    }
  })
}
