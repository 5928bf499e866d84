import type { Context } from './context.ts'
import type { Outcome } from './outcome.ts'

/** The one shape: a call, a message handler, a command, a route, a saga step. */
export type Handler<In, Out, C extends Context = Context> = (input: In, ctx: C) => Promise<Out>

/** What `policy()` takes: wraps any handler, blind to its types. */
export type Wrapper = <In, Out, C extends Context>(next: Handler<In, Out, C>) => Handler<In, Out, C>

/** Changes the input or the context on the way in (decode, authenticate, deduplicate); blind to the result. */
export type Layer<In, InnerIn = In, C extends Context = Context, InnerC extends Context = C> = <Out>(
  next: Handler<InnerIn, Out, InnerC>,
) => Handler<In, Out, C>

export type Task<T> = (ctx: Context) => T | PromiseLike<T>

export interface RunOptions {
  /** The context to run under; without it the ambient one, or a fresh one. */
  readonly context?: Context
  /** Gives up when it aborts: the caller is answered at once, permits return when the work has settled. */
  readonly signal?: AbortSignal
  /** Overall limit of this call in milliseconds, above 0; an earlier deadline of the context wins. */
  readonly timeoutMs?: number
  readonly keys?: Readonly<Record<string, string>>
  readonly idempotencyKey?: string
}

export interface WrapOptions<A extends unknown[]> {
  /** Derives the run options of each call from its arguments: `(tenantId) => ({ keys: { tenant: tenantId } })`. */
  readonly options?: (...args: A) => RunOptions
}

declare const alternative: unique symbol

/**
 * A policy that may answer in the handler's place (fallback, stale cache): it widens the result by `Alt`, and the compiler says so.
 * Callable: it wraps a handler. Wrap once, call often.
 */
export interface Recovery<Alt> {
  /** Exists for the type checker only; without it a recovery would pass as a policy. */
  readonly [alternative]?: () => Alt
  <In, Out, C extends Context>(next: Handler<In, Out, C>): Handler<In, Out | Alt, C>
  /** Runs one task under the policy. Rejects with what the task threw or with the policy's refusal. */
  run<T>(task: Task<T>, options?: RunOptions): Promise<T | Alt>
  /** Like `run`, but answers with an `Outcome` and never rejects; a refusal costs a fraction of a throw. */
  tryRun<T>(task: Task<T>, options?: RunOptions): Promise<Outcome<T | Alt>>
  /**
   * Guards an async function and keeps its type: overloads, generics, `this`. It hands no context in, so a timeout inside can only
   * abandon the work; use `run` where the work can be cancelled.
   */
  wrap<F extends (...args: never[]) => PromiseLike<unknown>>(
    fn: F,
    options?: WrapOptions<Parameters<F>>,
  ): [Alt] extends [never] ? F : (...args: Parameters<F>) => Promise<Awaited<ReturnType<F>> | Alt>
  /** The same object with the named methods guarded; everything else is untouched. */
  wrapMethods<T extends object, K extends keyof T>(target: T, methods: readonly K[]): T
}

/** One shape for policies and recoveries: a policy is a recovery that recovers nothing. */
export type Policy = Recovery<never>

export type AltOf<P> = P extends Recovery<infer A> ? A : never
