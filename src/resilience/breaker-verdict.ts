import { failedWith, succeeded } from '../core/effect.ts'
import { HoldfastError } from '../core/errors.ts'
import type { Outcome, Verdict } from '../core/outcome.ts'

/** Codes that say nothing about the health of what is called. */
const SAYS_NOTHING = new Set<string>(['ABORTED', 'DECLINED'])

/** How outcomes count where nobody says otherwise. */
export const byOutcome = (outcome: Outcome<unknown>): Verdict => (outcome.ok ? 'success' : 'failure')

/** How an outcome counts. Never throws. */
export function verdictOf(classify: (outcome: Outcome<unknown>) => Verdict, ok: boolean, result: unknown): Verdict {
  if (!ok && result instanceof HoldfastError && (SAYS_NOTHING.has(result.code) || (result.effect === 'none' && result.retry === 'later')))
    return 'ignore'
  // Asked for every call of most breakers: it makes no outcome to look at.
  if (classify === byOutcome) return ok ? 'success' : 'failure'
  try {
    const verdict = classify(ok ? succeeded(result) : failedWith(result))
    if (verdict === 'success' || verdict === 'failure' || verdict === 'ignore') return verdict
  } catch {
    // A classifier that throws must not cost the caller its answer.
  }
  return ok ? 'success' : 'failure'
}
