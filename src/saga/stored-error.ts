import { HoldfastError } from '../core/errors.ts'
import { toJson } from '../core/json.ts'
import type { Effect } from '../core/outcome.ts'

const MESSAGE_MAX = 2_000
const DETAILS_MAX_BYTES = 4_096
const CAUSES_MAX = 3

/** An error as it is stored: `name` and `message`, what a `HoldfastError` says of itself, and up to three causes. No stack. */
export interface StoredError {
  readonly name: string
  readonly message: string
  readonly code?: string
  readonly effect?: Effect
  readonly retry?: 'later' | 'never'
  /** Left out where it is not JSON or longer than 4 kB. */
  readonly details?: unknown
  readonly cause?: StoredError
}

export function storeError(error: unknown, causes = CAUSES_MAX): StoredError {
  if (typeof error !== 'object' || error === null) return { name: 'Error', message: short(text(error)) }
  const { name, message, code, cause } = error as { name?: unknown; message?: unknown; code?: unknown; cause?: unknown }
  return {
    name: short(typeof name === 'string' ? name : 'Error'),
    message: short(typeof message === 'string' ? message : text(error)),
    ...(typeof code === 'string' ? { code: short(code) } : {}),
    ...(error instanceof HoldfastError ? { effect: error.effect, retry: error.retry, ...storedDetails(error.details) } : {}),
    ...(cause === undefined || causes === 0 ? {} : { cause: storeError(cause, causes - 1) }),
  }
}

/** The error again, without its stack; a `HoldfastError` becomes one. */
export function restoreError(stored: StoredError): Error {
  const cause = stored.cause === undefined ? undefined : restoreError(stored.cause)
  const error =
    stored.effect === undefined
      ? new Error(stored.message, cause === undefined ? undefined : { cause })
      : new HoldfastError(stored.code ?? 'FAILED', stored.message, {
          effect: stored.effect,
          retry: stored.retry ?? 'never',
          details: stored.details,
          cause,
        })
  error.name = stored.name
  error.stack = `${stored.name}: ${stored.message}`
  if (stored.effect === undefined && stored.code !== undefined) Object.assign(error, { code: stored.code })
  return error
}

function storedDetails(details: unknown): { details?: unknown } {
  if (details === undefined) return {}
  try {
    return toJson('details', details).length > DETAILS_MAX_BYTES ? {} : { details }
  } catch {
    return {}
  }
}

/** Never throws, whatever was thrown. */
function text(value: unknown): string {
  try {
    return String(value)
  } catch {
    return 'a value that cannot be shown'
  }
}

const short = (value: string): string => (value.length > MESSAGE_MAX ? `${value.slice(0, MESSAGE_MAX)}…` : value)
