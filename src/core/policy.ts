import { ambientSeat, runAmbient } from './ambient.ts'
import { compose, insertion } from './compose.ts'
import { type Ctx, freshCtx, isContext } from './ctx.ts'
import { failedWith, succeeded } from './effect.ts'
import { HoldfastError } from './errors.ts'
import { throughOne } from './frame/single-frame.ts'
import type { Next } from './frame/types.ts'
import type { AltOf, Policy, Recovery, RunOptions, Task, WrapOptions, Wrapper } from './handler.ts'
import { INSIDE, type Inside, insideOf, type Part, type WrapPart } from './inside.ts'
import { checkName, invalidOption, show } from './options.ts'
import type { Outcome } from './outcome.ts'
import { type Carrier, partsOf } from './policy-inside.ts'
import { contextFor, type Noted, underContext } from './run-context.ts'
import { sinkBelow } from './source.ts'
import { wrapFunction, wrapMethods } from './wrap.ts'

/** The innermost handler of `run`: the task itself. */
const runTask: Next = (task, ctx) => (task as Task<unknown>)(ctx as Ctx)
/** The same, where what the task starts has to find its context by itself. */
const runTaskInside: Next = (task, ctx) => runAmbient(ctx as Ctx, () => (task as Task<unknown>)(ctx as Ctx))

const notedTask: Noted = (task, begun) => (ctx: Ctx) => {
  begun()
  return (task as Task<unknown>)(ctx)
}

// Two compositions, so that the common one does not ask on every call whether contexts are ambient.
const composed = (inside: Inside): Next => {
  if (ambientSeat.storage === null) {
    inside.running ??= compose(inside.parts, runTask)
    return inside.running
  }
  inside.runningAmbient ??= compose(inside.parts, runTaskInside)
  return inside.runningAmbient
}

/** Runs a task without a context of its caller's. */
function runFresh(inside: Inside, task: Task<unknown>, quiet?: boolean): unknown {
  const { alone } = inside
  if (alone !== null && insertion.wrap === null) return throughOne(alone.way, alone.guard, runTask, task, undefined, quiet)
  return composed(inside)(task, inside.needsContext ? freshCtx() : undefined, quiet)
}

const promised = (answer: unknown): Promise<unknown> => (answer instanceof Promise ? answer : Promise.resolve(answer))

/** Calls a composed handler; a synchronous throw becomes a rejection. */
export function invoke(call: Next, input: unknown, ctx: Ctx | undefined): Promise<unknown> {
  try {
    return promised(call(input, ctx))
  } catch (error) {
    return Promise.reject(error)
  }
}

function notATask(task: unknown): HoldfastError {
  return new HoldfastError('INVALID_INPUT', `run: the task must be a function, got ${show(task)}`, { effect: 'none', retry: 'never' })
}

async function withSource(inside: Inside, task: Task<unknown>, options: RunOptions | undefined): Promise<Outcome<unknown>> {
  try {
    if (typeof task !== 'function') throw notATask(task)
    const { ctx, sink } = sinkBelow(contextFor(options))
    const value = await underContext(composed(inside), task, { context: ctx }, notedTask)
    return { ok: true, value, source: sink.source }
  } catch (error) {
    return failedWith(error)
  }
}

/** What every policy inherits. One object for all of them: a policy itself is a function with a single property. */
const methods = {
  run(this: Carrier, task: Task<unknown>, options?: RunOptions): Promise<unknown> {
    if (typeof task !== 'function') return Promise.reject(notATask(task))
    const inside = this[INSIDE]
    try {
      if (options !== undefined || ambientSeat.storage !== null) return underContext(composed(inside), task, options, notedTask)
      return promised(runFresh(inside, task))
    } catch (error) {
      return Promise.reject(error)
    }
  },

  tryRun(this: Carrier, task: Task<unknown>, options?: RunOptions): Promise<Outcome<unknown>> {
    const inside = this[INSIDE]
    if (inside.answers) return withSource(inside, task, options)
    if (inside.quiet && options === undefined && ambientSeat.storage === null && typeof task === 'function') {
      try {
        const answer = runFresh(inside, task, true)
        // Only a frame that was asked to be quiet answers with something that is no promise.
        return answer instanceof Promise ? answer.then(succeeded, failedWith) : Promise.resolve(answer as Outcome<unknown>)
      } catch (error) {
        return Promise.resolve(failedWith(error))
      }
    }
    return methods.run.call(this, task, options).then(succeeded, failedWith)
  },

  wrap(this: Carrier, fn: (...args: never[]) => PromiseLike<unknown>, options?: WrapOptions<unknown[]>): unknown {
    return wrapFunction(this[INSIDE].parts, fn, options)
  },

  wrapMethods(this: Carrier, target: object, names: readonly PropertyKey[]): object {
    return wrapMethods(this[INSIDE].parts, target, names)
  },
}

const policyPrototype: object = Object.setPrototypeOf(methods, Function.prototype)

/** A prototype for a kind of policy with readouts of its own: getters and methods find what they read with `ownerOf(this)`. */
export const policyKind = <K extends object>(members: K & ThisType<Policy & K>): K => Object.setPrototypeOf(members, policyPrototype)

/** Makes a policy of parts, outermost first; `kind` adds readouts, `name` is the function's. */
export function makePolicy<P extends Recovery<unknown> = Policy>(parts: readonly Part[], kind: object = policyPrototype, name?: string): P {
  const inside = insideOf(parts)
  // Named by its key: a name that is defined afterwards costs 300 bytes for each policy.
  const { [name ?? 'policy']: policy } = {
    [name ?? 'policy']: (next: unknown): unknown => {
      if (typeof next !== 'function') throw invalidOption('policy', 'the handler it wraps', 'a function', next)
      const handler = compose(inside.parts, next as Next)
      return (input: unknown, ctx?: Ctx) => {
        if (ctx !== undefined && !isContext(ctx)) return Promise.reject(notAContext('policy', ctx))
        return invoke(handler, input, ctx ?? (inside.needsContext ? freshCtx() : undefined))
      }
    },
  }
  ;(policy as unknown as { [INSIDE]: Inside })[INSIDE] = inside
  return Object.setPrototypeOf(policy, kind)
}

/**
 * Makes a policy of your own from a function that wraps a handler.
 *
 * @param name - stands for it in errors and traces; 1 to 200 characters.
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none) when the name is empty or the wrapper is not a function.
 * @example
 * ```ts
 * const timed = policy('timed', (next) => async function timed(input, ctx) {
 *   const startMs = performance.now()
 *   try {
 *     return await next(input, ctx)
 *   } finally {
 *     histogram.record(performance.now() - startMs)
 *   }
 * })
 * ```
 */
export function policy(name: string, wrapper: Wrapper): Policy {
  checkName('policy', name)
  if (typeof wrapper !== 'function') throw invalidOption(`policy ${name}`, 'wrapper', 'a function that takes a handler', wrapper)
  return makePolicy([userPart(name, wrapper)], undefined, name)
}

/** What a user's wrapper hands inwards has to be a context still: a copy by `{ ...ctx }` would take permits that it can never return. */
export const strict =
  (owner: string, next: Next): Next =>
  (input, ctx) =>
    isContext(ctx) ? next(input, ctx) : Promise.reject(notAContext(owner, ctx))

export const notAContext = (owner: string, given: unknown): HoldfastError =>
  invalidOption(owner, 'the context', 'made by createContext() or by the with() of another', given)

function userPart(name: string, wrapper: Wrapper): WrapPart {
  return {
    name,
    foreign: true,
    wrap: (next) => {
      const handler = wrapper(strict(`policy ${name}`, next) as never) as unknown
      if (typeof handler !== 'function') throw invalidOption(`policy ${name}`, 'what its wrapper returns', 'a handler', handler)
      return handler as Next
    },
  }
}

/**
 * Composes policies, outermost first. With a recovery among them the whole is a recovery. Any number, none included.
 * Compose once and call often: consecutive guards become one frame.
 *
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none) for something that is not a policy.
 * @example
 * ```ts
 * const guard = policies(retry({ attempts: 3 }), circuitBreaker({ name: 'inventory' }), bulkhead({ concurrent: 20 }), timeout({ timeoutMs: 2_000 }))
 * ```
 */
export function policies<const P extends readonly Recovery<unknown>[]>(
  ...outermostFirst: P
): [AltOf<P[number]>] extends [never] ? Policy : Recovery<AltOf<P[number]>> {
  return makePolicy(outermostFirst.flatMap((each) => partsOf('policies', each))) as never
}
