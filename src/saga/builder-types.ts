import type { Context } from '../core/context.ts'
import type { Policy } from '../core/handler.ts'
import type { RetryOptions } from '../resilience/retry-options.ts'
import type { SagaDefinition } from './definition.ts'

/** What an undo is told about the step it takes back. */
export interface UndoContext extends Context {
  readonly undoes: {
    /** The key that the step's `run` was called with; the undo's own key is this one followed by `/undo`. */
    readonly idempotencyKey: string
    /** `'unknown'`: the step's answer was lost, or it failed in a way that leaves open whether it did something. */
    readonly outcome: 'ok' | 'unknown'
  }
}

/** What every kind of step takes besides its functions. */
export interface StepOptions {
  /**
   * How to try again, always with the same idempotency key. Default attempts: 3, for a pivot 10, after the pivot 20. Refusals of our own
   * (open breaker, full bulkhead) use no attempt.
   */
  readonly retry?: RetryOptions
  /** Limit of each attempt, in milliseconds, at least 1; default none. After it the saga goes on, whether or not `run` listens to `ctx.signal`. */
  readonly timeoutMs?: number
  /** Guards each attempt of `run` and of `undo`. One that contains a retry is refused: the step retries itself. */
  readonly policy?: Policy
  /** Says that the step changes nothing, so that it needs no `undo`. */
  readonly readOnly?: boolean
}

/**
 * A step: what it does, and what undoes it. `S` is the state so far: the input and the result of each step before, by name, as JSON gives
 * them back. What a step changes in it is not stored.
 */
export interface StepDef<S, N extends string, R> extends StepOptions {
  /** Called with the state and a context whose `idempotencyKey` is the same for every attempt, also after a crash. Its result is stored as JSON. */
  run(state: S, ctx: Context): Promise<R>
  /** Called, until it succeeds, when a later step failed; also when this step's answer was lost, and then without its result in the state. */
  undo?(state: S & { readonly [P in N]?: NoInfer<R> }, ctx: UndoContext): Promise<unknown>
}

/** Builds a saga step by step. Each call returns a new builder; the one it was called on is unchanged. */
export interface SagaBuilder<I, S> {
  /**
   * Adds a step. Before the pivot it must have an `undo` or say `readOnly: true`; after the pivot it cannot have one, and is retried
   * until it is done.
   *
   * @throws {HoldfastError} `NAME_REUSED`, `RETRIES_TWICE` or `INVALID_OPTIONS` (effect none), naming saga, step, rule and value.
   */
  step<N extends string, R>(name: N, def: StepDef<S, N, R>): SagaBuilder<I, S & { readonly [P in N]: R }>
  /**
   * Adds the step from which there is no way back. Once its intent is recorded the saga cannot be cancelled; where its outcome stays
   * unknown it is retried with the same key and then parked, never undone. Its participant has to honour that key, in what it
   * declines as in what it does: a `declined()` that follows a lost reply is taken as the answer to both.
   *
   * @throws {HoldfastError} `NAME_REUSED`, `RETRIES_TWICE` or `INVALID_OPTIONS` (effect none): a second pivot, an `undo`, a bad option.
   */
  pivot<N extends string, R>(name: N, def: StepDef<S, N, R>): SagaBuilder<I, S & { readonly [P in N]: R }>
  /**
   * Ends the definition with what `result()` resolves to, computed once from the results and stored as JSON.
   *
   * @throws {HoldfastError} `INVALID_OPTIONS` (effect none) when the saga has no step or this is not a function.
   */
  returns<R>(output: (state: S) => R): SagaDefinition<I, R>
}
