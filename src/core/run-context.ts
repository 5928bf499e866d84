import { ambientContext } from './ambient.ts'
import { contextRules } from './create-context.ts'
import { abortedError, type Ctx, derive, isContext } from './ctx.ts'
import type { Next } from './frame/types.ts'
import type { RunOptions } from './handler.ts'
import { changeMeta, NO_META } from './meta.ts'
import { checkOptions } from './options.ts'
import { any, optional } from './rules.ts'
import { Waiting } from './waiting.ts'

const { timeoutMs, signal, keys, idempotencyKey } = contextRules
const context = optional(any<Ctx | undefined>('a context made by createContext()', isContext, undefined))
const rules = { context, signal, timeoutMs, keys, idempotencyKey }

/** Answers a caller who gave up, at once; the work goes on alone and keeps its permits until it settles. */
class Edge extends Waiting {
  constructor(
    readonly ctx: Ctx,
    readonly reject: (error: unknown) => void,
  ) {
    super()
  }
  abortedBy(): void {
    this.reject(abortedError(this.ctx, true))
  }
}

/** Finds the context of a call: handed in, ambient, or fresh; changed as the options say. */
export function contextFor(options: RunOptions | undefined): Ctx | undefined {
  const given = options === undefined ? undefined : checkOptions('run', options, rules)
  const parent = given?.context ?? (ambientContext() as Ctx | undefined)
  if (given === undefined || isEmpty(given)) return parent
  const meta = changeMeta(parent?.meta ?? NO_META, {
    ...(given.keys === undefined ? {} : { keys: given.keys }),
    ...(given.idempotencyKey === undefined ? {} : { idempotencyKey: given.idempotencyKey }),
  })
  return derive(parent ?? null, meta, parent?.attempt ?? 1, given.timeoutMs, given.signal)
}

const isEmpty = (given: { readonly [N in keyof RunOptions]: RunOptions[N] | undefined }): boolean =>
  given.keys === undefined && given.idempotencyKey === undefined && given.timeoutMs === undefined && given.signal === undefined

/** Calls a composed handler under the context the options ask for. */
export function underContext(call: Next, input: unknown, options: RunOptions | undefined): Promise<unknown> {
  let ctx: Ctx | undefined
  try {
    ctx = contextFor(options)
    if (ctx?.live !== true) {
      const answer = call(input, ctx)
      return answer instanceof Promise ? answer : Promise.resolve(answer)
    }
  } catch (error) {
    return Promise.reject(error)
  }
  return ctx.aborted ? Promise.reject(abortedError(ctx, false)) : raced(call, input, ctx, ctx !== options?.context)
}

/** Races a call against its context. `own`: the context was made for this call, so it ends with it. */
function raced(call: Next, input: unknown, ctx: Ctx, own: boolean): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const edge = new Edge(ctx, reject)
    ctx.listen(edge)
    const done = (): void => {
      ctx.unlisten(edge)
      if (own) ctx.whenIdle(() => ctx.end())
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
      const answer = call(input, ctx)
      if (answer instanceof Promise) answer.then(fulfil, fail)
      else Promise.resolve(answer).then(fulfil, fail)
    } catch (error) {
      fail(error)
    }
  })
}
