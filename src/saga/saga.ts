import { invalidOption } from '../core/options.ts'
import type { Schema } from '../core/schema.ts'
import type { SagaBuilder, StepDef } from './builder-types.ts'
import { checkName, checkSagaOptions, checkStep } from './check-definition.ts'
import { type SagaDefinition, type Step, withParts } from './definition.ts'
import { definitionHash } from './hash.ts'
import { mermaid } from './mermaid.ts'

interface Base {
  readonly name: string
  readonly version: number
  readonly input: Schema<unknown>
}

class Builder<I, S> implements SagaBuilder<I, S> {
  readonly #base: Base
  readonly #steps: readonly Step[]

  constructor(base: Base, steps: readonly Step[]) {
    this.#base = base
    this.#steps = steps
  }

  step<N extends string, R>(name: N, def: StepDef<S, N, R>): SagaBuilder<I, S & { readonly [P in N]: R }> {
    return new Builder<I, S & { readonly [P in N]: R }>(this.#base, [
      ...this.#steps,
      checkStep(this.#base.name, 'step', name, def, this.#steps),
    ])
  }

  pivot<N extends string, R>(name: N, def: StepDef<S, N, R>): SagaBuilder<I, S & { readonly [P in N]: R }> {
    return new Builder<I, S & { readonly [P in N]: R }>(this.#base, [
      ...this.#steps,
      checkStep(this.#base.name, 'pivot', name, def, this.#steps),
    ])
  }

  returns<R>(output: (state: S) => R): SagaDefinition<I, R> {
    const { name, version, input } = this.#base
    const steps = this.#steps
    if (typeof output !== 'function') throw invalidOption(`saga ${name}`, 'returns', 'given a function', output)
    if (steps.length === 0) throw invalidOption(`saga ${name}`, 'steps', 'at least one', 'none')
    const definition = { name, version, definitionHash: definitionHash(name, version, steps), toMermaid: () => mermaid(name, steps) }
    return withParts(definition, { input, steps, output: output as (state: Record<string, unknown>) => unknown })
  }
}

/**
 * Defines a saga: steps that either all take effect, or are undone in reverse order.
 *
 * Steps before the pivot can be undone; the pivot is the point of no return; steps after it are retried until they are done. Without a
 * pivot every step can be undone. A definition is data and is checked while it is built; nothing runs until an engine that it is
 * registered with starts it.
 *
 * @param name - part of every idempotency key and of what is stored; 1 to 200 characters.
 * @param options
 * - `version`: a whole number of at least 1. Raise it with every change of the steps.
 * - `input`: the Standard Schema (zod, valibot, arktype) that a saga's input has to fit.
 * @throws {HoldfastError} `INVALID_OPTIONS`, `NAME_REUSED` or `RETRIES_TWICE` (effect none), naming saga, step, rule and value.
 * @example
 * ```ts
 * const checkout = saga('checkout', { version: 1, input: Order })
 *   .step('reserve', {
 *     run: ({ input }, ctx) => inventory.reserve(input.items, ctx.idempotencyKey),
 *     undo: (_, ctx) => inventory.release(ctx.undoes.idempotencyKey),
 *   })
 *   .pivot('charge', { run: ({ input }, ctx) => payments.charge(input.id, ctx.idempotencyKey) })
 *   .returns(({ charge }) => ({ paymentId: charge.id }))
 * ```
 *
 * Source: Garcia-Molina and Salem, Sagas (1987); Richardson, Microservices Patterns (2018), chapter 4.
 */
export function saga<I>(
  name: string,
  options: { readonly version: number; readonly input: Schema<I> },
): SagaBuilder<I, { readonly input: I }> {
  checkName('saga', 'name', name)
  return new Builder({ name, ...checkSagaOptions(`saga ${name}`, options) }, [])
}
