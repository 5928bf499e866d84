import { effectOf, retryOf } from '../core/effect.ts'
import { isRefusal } from '../core/errors.ts'
import type { Effect } from '../core/outcome.ts'
import type { RetryPlan } from '../resilience/retry-options.ts'
import type { Step } from './definition.ts'
import type { Open } from './progress.ts'

/** What follows a failed attempt. */
export type Decision =
  /** Turned away before anything happened: try again, and count nothing. */
  | { readonly do: 'wait'; readonly delayMs: number }
  | { readonly do: 'retry'; readonly delayMs: number; readonly effect: Effect }
  /** Undo what was done; `effect` is that of all attempts of the step together. */
  | { readonly do: 'fail'; readonly effect: Effect }
  /** Neither forwards nor backwards is safe: an operator has to look. */
  | { readonly do: 'park'; readonly reason: string }

export interface Failure {
  readonly step: Step
  readonly open: Open
  readonly retry: RetryPlan
  readonly error: unknown
  readonly nowEpochMs: number
  /** How often in a row our own policies have turned this step away, this time included, and since when; and how long that may last. */
  readonly refusals: number
  readonly refusedForMs: number
  readonly refusedMaxMs: number
}

/** The rules of a saga in one place; they depend on nothing but their arguments. */
export function decide(failure: Failure): Decision {
  const { open, error, retry } = failure
  const effect = effectOf(error)
  if (isRefusal(error)) {
    const delayMs = retry.delayAfterMs(failure.refusals, error)
    return failure.refusedForMs + delayMs <= failure.refusedMaxMs ? { do: 'wait', delayMs } : givenUp(failure, effect)
  }
  const attempt = open.attempts + 1
  if (attempt < retry.attempts && isWorthIt(retry, error)) {
    const delayMs = retry.delayAfterMs(attempt, error)
    if (failure.nowEpochMs - open.sinceEpochMs + delayMs <= retry.elapsedMaxMs) return { do: 'retry', delayMs, effect }
  }
  return givenUp(failure, effect)
}

function givenUp({ step, open, error }: Failure, effect: Effect): Decision {
  if (open.direction === 'undo') return { do: 'park', reason: `undo of ${step.name} failed` }
  const together: Effect = open.maybe || effect === 'unknown' ? 'unknown' : 'none'
  switch (step.kind) {
    case 'after':
      return { do: 'park', reason: `${step.name} failed after the pivot` }
    case 'pivot':
      // A definite no to the same key answers for the attempts before it as well.
      if (together === 'none' || (effect === 'none' && retryOf(error) === 'never')) return { do: 'fail', effect: 'none' }
      return { do: 'park', reason: `whether the pivot ${step.name} took effect is unknown` }
    default:
      return { do: 'fail', effect: together }
  }
}

/** A predicate of the user's that throws says no: an error in it must not repeat an effect. */
function isWorthIt(retry: RetryPlan, error: unknown): boolean {
  try {
    return retry.retryIf(error)
  } catch {
    return false
  }
}
