import { STATUS_CODES } from 'node:http'
import { HoldfastError, isRefusal } from '../../core/errors.ts'

/**
 * The body of an answer that reports an error.
 *
 * Source: RFC 9457, with `code` and `errors` as extensions.
 */
export interface Problem {
  /** `about:blank`: the title is the status' own. */
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail?: string
  /** The error's code: `BULKHEAD_FULL`, `DECLINED`, … */
  readonly code?: string
  /** What a schema found, and where. */
  readonly errors?: readonly { readonly path: string; readonly message: string }[]
}

export interface Answer {
  readonly problem: Problem
  readonly retryAfterSeconds?: number
}

const TIMED_OUT = new Set(['TIMEOUT', 'DEADLINE', 'WAIT_TIMEOUT'])
const INVALID = new Set(['INVALID_INPUT', 'NOT_JSON'])
const CONFLICT = new Set(['DECLINED', 'SAGA_ID_REUSED'])

/** The answer an error asks for; undefined for one that says nothing about it. */
export function answerFor(error: unknown): Answer | undefined {
  return error instanceof HoldfastError ? answerForOurs(error) : answerForHttp(error)
}

function answerForOurs(error: HoldfastError): Answer | undefined {
  const { code, message } = error
  if (TIMED_OUT.has(code)) return { problem: problem(504, 'It took too long; whether anything happened is not known.', code) }
  if (INVALID.has(code)) return { problem: { ...problem(400, message, code), ...issuesOf(error) } }
  if (CONFLICT.has(code)) return { problem: problem(409, message, code) }
  if (code === 'SAGA_UNDONE') return { problem: problem(409, saidNo(error.cause) ?? 'It was undone; nothing remains of it.', code) }
  if (code === 'SAGA_NOT_FOUND') return { problem: problem(404, message, code) }
  // What is full, open or locked is named to operators, not to clients.
  if (isRefusal(error) || code === 'ABORTED')
    return {
      problem: problem(503, 'The service cannot do this now.', code),
      retryAfterSeconds: secondsOf(error.retryAfterMs),
    }
  return undefined
}

/** Errors of body parsers and the like say which 4xx they are and whether their message may be shown (`http-errors`). */
function answerForHttp(error: unknown): Answer | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  const { status, expose, message } = error as { status?: unknown; expose?: unknown; message?: unknown }
  if (typeof status !== 'number' || !Number.isInteger(status) || status < 400 || status > 499) return undefined
  return { problem: problem(status, expose === true && typeof message === 'string' ? message : undefined) }
}

export const UNKNOWN: Answer = { problem: problem(500) }

function problem(status: number, detail?: string, code?: string): Problem {
  return {
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    status,
    ...(detail !== undefined && { detail }),
    ...(code !== undefined && { code }),
  }
}

/** Why a saga was undone, where that was a business no; anything else is for operators. */
const saidNo = (cause: unknown): string | undefined =>
  cause instanceof HoldfastError && cause.code === 'DECLINED' ? cause.message : undefined

/** Whole seconds, as the header wants them, and never "at once". */
const secondsOf = (retryAfterMs = 1_000): number => Math.max(1, Math.ceil(retryAfterMs / 1_000))

function issuesOf(error: HoldfastError): Pick<Problem, 'errors'> {
  const { issues } = (error.details ?? {}) as { issues?: unknown }
  return Array.isArray(issues) ? { errors: issues } : {}
}
