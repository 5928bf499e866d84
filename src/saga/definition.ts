import type { Policy } from '../core/handler.ts'
import type { Schema } from '../core/schema.ts'
import type { RetryOptions } from '../resilience/retry-options.ts'

/** `read` changes nothing; `step` can be undone; `after` comes after the pivot and is retried until done. */
export type StepKind = 'step' | 'read' | 'pivot' | 'after'

export type StepFunction = (state: Record<string, unknown>, ctx: never) => unknown

/** One step as data, checked. */
export interface Step {
  readonly name: string
  readonly kind: StepKind
  readonly run: StepFunction
  readonly undo: StepFunction | undefined
  readonly retry: RetryOptions | undefined
  readonly timeoutMs: number | undefined
  /** Passes straight through where none was given. */
  readonly guard: Policy
}

/** What a definition is made of, for the engine. */
export interface SagaParts {
  readonly input: Schema<unknown>
  readonly steps: readonly Step[]
  readonly output: (state: Record<string, unknown>) => unknown
}

/** A saga as data: checked when it was built, to be registered with an engine and started by it. Made by `saga(…).returns(…)`. */
export interface SagaDefinition<I, O> {
  readonly name: string
  readonly version: number
  /** A hash of name, version and the names, kinds and order of the steps; a saga in flight continues only under the one it was started with. */
  readonly definitionHash: string
  /** Exists for the type checker only. */
  readonly '~io'?: readonly [I, O]
  /** A drawing of the steps, forwards and backwards, as a Mermaid flowchart. */
  toMermaid(): string
}

/** Shared by the ESM and the CommonJS copy of the package. */
const PARTS = Symbol.for('holdfast/saga-definition')

export const withParts = <I, O>(definition: SagaDefinition<I, O>, parts: SagaParts): SagaDefinition<I, O> =>
  Object.freeze(Object.defineProperty(definition, PARTS, { value: parts }))

/** What a definition is made of; undefined for anything that `saga()` did not make. */
export const partsOfSaga = (definition: unknown): SagaParts | undefined =>
  typeof definition === 'object' && definition !== null ? (definition as { [PARTS]?: SagaParts })[PARTS] : undefined
