import { HoldfastError, isRefusal } from '../core/errors.ts'
import { show } from '../core/options.ts'
import type { DeadReason, Tries } from '../ports/transport.ts'
import type { RetryPlan } from '../resilience/retry-options.ts'

/** What becomes of a message whose handler threw. */
export type Decision =
  | { readonly as: 'again'; readonly delayMs: number; readonly tries: Tries }
  | { readonly as: 'dead'; readonly reason: DeadReason }

export interface FailurePlan {
  /** The subscription's own. */
  readonly retry: RetryPlan
  /** How refusals are waited out, and how many in a row. */
  readonly refusals: RetryPlan
}

export interface Failure {
  readonly error: unknown
  readonly tries: Tries
  readonly epochMs: number
  readonly expiresEpochMs: number
}

/** Another attempt, or none: one place for all engines. */
export function decide(plan: FailurePlan, failure: Failure): Decision {
  const { error, tries, epochMs } = failure
  const waits = isRefusal(error)
  const { refusals, retry } = plan
  if (waits && tries.refused >= refusals.attempts)
    return dead(
      'refused',
      `put off ${tries.refused} times in a row (refusals: ${refusals.attempts}), the last time: ${error.message}`,
      failure,
      tries.attempt - 1,
    )
  if (!waits && tries.attempt >= retry.attempts)
    return dead('failed', `attempt ${tries.attempt} of ${retry.attempts} failed: ${textOf(error)}`, failure)
  if (!waits && !isWorthIt(retry, error)) return dead('failed', `not worth another attempt: ${textOf(error)}`, failure)

  const delayMs = waits ? refusals.delayAfterMs(tries.refused + 1, error) : retry.delayAfterMs(tries.attempt, error)
  const againEpochMs = epochMs + delayMs
  const used = waits ? tries.attempt - 1 : tries.attempt
  if (againEpochMs >= failure.expiresEpochMs) return dead('expired', `no use after its deadline: ${textOf(error)}`, failure, used)
  const firstEpochMs = tries.firstEpochMs ?? epochMs
  if (againEpochMs - firstEpochMs > retry.elapsedMaxMs)
    return dead('failed', `no attempt is left within ${retry.elapsedMaxMs} ms: ${textOf(error)}`, failure, used)
  const next = waits ? { attempt: tries.attempt, refused: tries.refused + 1 } : { attempt: tries.attempt + 1, refused: 0 }
  return { as: 'again', delayMs, tries: { ...next, firstEpochMs } }
}

function dead(code: DeadReason['code'], message: string, { error, tries }: Failure, attempts = tries.attempt): Decision {
  return { as: 'dead', reason: { code, message: cut(message, MESSAGE_MAX), attempts, error: described(error) } }
}

/** A `retryIf` that throws has not said yes. */
function isWorthIt(plan: RetryPlan, error: unknown): boolean {
  try {
    return plan.retryIf(error)
  } catch {
    return false
  }
}

/** A dead letter is kept, so what it says of an error is bounded. */
const MESSAGE_MAX = 1_000
const STACK_MAX = 8_000
const CAUSES_MAX = 5

const cut = (text: string, max: number): string => (text.length > max ? `${text.slice(0, max)}…` : text)
const textOf = (error: unknown): string => (error instanceof Error ? error.message : show(error))

/** An error as it is kept: JSON, with the stacks of its causes. */
export function described(error: unknown): NonNullable<DeadReason['error']> {
  if (!(error instanceof Error)) return { name: 'not an Error', message: show(error) }
  const code: unknown = error instanceof HoldfastError ? error.code : (error as { code?: unknown }).code
  return {
    name: error.name,
    message: cut(error.message, MESSAGE_MAX),
    ...(typeof code === 'string' && { code }),
    ...(error.stack !== undefined && { stack: cut(stacks(error), STACK_MAX) }),
  }
}

function stacks(error: Error): string {
  const parts: string[] = []
  let at: unknown = error
  for (let depth = 0; at instanceof Error && depth <= CAUSES_MAX; depth++) {
    parts.push(at.stack ?? at.message)
    at = at.cause
  }
  return parts.join('\ncaused by: ')
}
