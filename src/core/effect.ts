import { HoldfastError } from './errors.ts'
import type { Effect, Outcome } from './outcome.ts'

/** Codes of the operating system that say that no connection was made, so nothing can have happened at the other end. */
const NEVER_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN'])

/** The effect an error admits: what a `HoldfastError` says, none where no connection was made, unknown for everything else. */
export function effectOf(error: unknown): Effect {
  if (error instanceof HoldfastError) return error.effect
  try {
    return NEVER_SENT.has(codeOf(error) ?? codeOf(causeOf(error)) ?? '') ? 'none' : 'unknown'
  } catch {
    // What was thrown cannot even be looked at: nothing is known of it, and `tryRun` still answers.
    return 'unknown'
  }
}

/** Whether trying again can help: what a `HoldfastError` says, `'later'` for everything else. */
export const retryOf = (error: unknown): 'later' | 'never' => (error instanceof HoldfastError ? error.retry : 'later')

export const succeeded = <T>(value: T): Outcome<T> => ({ ok: true, value })

export const failedWith = (error: unknown): Outcome<never> => ({ ok: false, error, effect: effectOf(error) })

/** The outcome of a call that a guard turned away: certainly nothing happened. */
export const refused = (error: unknown): Outcome<never> => ({ ok: false, error, effect: 'none' })

function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  const code = (error as { code?: unknown }).code
  return typeof code === 'string' ? code : undefined
}

const causeOf = (error: unknown): unknown =>
  typeof error === 'object' && error !== null ? (error as { cause?: unknown }).cause : undefined
