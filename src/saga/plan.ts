import type { RetryOptions, RetryPlan } from '../resilience/retry-options.ts'
import { retryPlan } from '../resilience/retry-options.ts'
import type { SagaDefinition, SagaParts, Step, StepKind } from './definition.ts'

/** Total attempts where a step does not say: what can still be undone gives up soon, what has to be done does not. */
const ATTEMPTS: Readonly<Record<StepKind, number>> = { step: 3, read: 3, pivot: 10, after: 20 }
const UNDO_ATTEMPTS = 20

/** A registered definition, with its options completed by those of the engine. */
export interface SagaPlan extends SagaParts {
  readonly definition: SagaDefinition<unknown, unknown>
  readonly name: string
  readonly hash: string
  retryOf(step: Step, direction: 'run' | 'undo'): RetryPlan
}

export interface PlanOptions {
  readonly random: () => number
  readonly undoRetry: RetryOptions | undefined
}

export function sagaPlan(definition: SagaDefinition<unknown, unknown>, parts: SagaParts, { random, undoRetry }: PlanOptions): SagaPlan {
  const undo = retryPlan('sagaEngine: undoRetry', { attempts: UNDO_ATTEMPTS, random, ...undoRetry })
  const run = new Map(
    parts.steps.map((step) => [step.name, retryPlan(step.name, { attempts: ATTEMPTS[step.kind], random, ...step.retry })]),
  )
  return {
    ...parts,
    definition,
    name: definition.name,
    hash: definition.definitionHash,
    retryOf: (step, direction) => (direction === 'undo' ? undo : (run.get(step.name) as RetryPlan)),
  }
}
