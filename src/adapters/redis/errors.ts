import { HoldfastError } from '../../core/errors.ts'
import { CORRUPT } from './scripts.ts'

/** Answers with which Redis says that it did not run the command. */
const REFUSED =
  /\b(NOAUTH|WRONGPASS|NOPERM|LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|BUSY|OOM|MISCONF|NOREPLICAS|NOSCRIPT)\b/
const NOT_ALLOWED = new Set(['NOAUTH', 'WRONGPASS', 'NOPERM'])
/** A key under our prefix that is of another type, or that somebody else has changed. */
const FOREIGN = new RegExp(`\\b(?:WRONGTYPE|${CORRUPT})\\b`)

/** How the packages say that a command never left this process. */
const UNSENT_NAMES = new Set(['ClientClosedError', 'ClientOfflineError'])
const UNSENT = /^(The client is closed|The client is offline|Stream isn't writeable and enableOfflineQueue options is false)/
const UNSENT_CODES = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN'])

export interface Call {
  readonly name: string
  /** Whether it changes anything. */
  readonly writes: boolean
}

interface ClientError {
  readonly name?: unknown
  readonly message?: unknown
  readonly code?: unknown
}

/** The one error for whatever a client throws. */
export function redisError(error: unknown, call: Call): HoldfastError {
  if (error instanceof HoldfastError) return error
  const { name, message, code }: ClientError = typeof error === 'object' && error !== null ? error : { message: error }
  const reason = String(message)
  if (FOREIGN.test(reason)) return foreign(call, reason, error)
  const refused = REFUSED.exec(reason)?.[1]
  if (refused !== undefined) return unavailable(call, reason, { none: true, never: NOT_ALLOWED.has(refused), cause: error })
  const unsent = UNSENT_NAMES.has(String(name)) || UNSENT.test(reason) || UNSENT_CODES.has(String(code))
  return unavailable(call, reason, { none: unsent, cause: error })
}

interface Why {
  /** Certainly nothing happened. */
  readonly none?: boolean
  readonly never?: boolean
  readonly cause?: unknown
}

export function unavailable(call: Call, reason: string, { none, never, cause }: Why = {}): HoldfastError {
  return new HoldfastError('STORAGE_UNAVAILABLE', `Redis did not answer ${call.name}: ${reason}`, {
    effect: none === true || !call.writes ? 'none' : 'unknown',
    retry: never === true ? 'never' : 'later',
    details: { reason },
    ...(cause !== undefined && { cause }),
  })
}

const foreign = (call: Call, reason: string, cause: unknown): HoldfastError =>
  new HoldfastError('STORAGE_CORRUPT', `Redis holds something else under the prefix (${call.name}): ${reason}`, {
    effect: 'none',
    retry: 'never',
    details: { reason },
    cause,
  })

export const abandoned = (call: Call, signal: AbortSignal): HoldfastError =>
  new HoldfastError('ABORTED', `${call.name} was aborted before Redis had answered`, {
    effect: call.writes ? 'unknown' : 'none',
    retry: 'never',
    cause: signal.reason,
  })
