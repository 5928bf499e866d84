import { stderr } from 'node:process'
import { inspect } from 'node:util'
import { checkOptions } from '../../core/options.ts'
import { fn, oneOf } from '../../core/rules.ts'
import { answerJson, type Next, type ResponseSlice } from './http.ts'
import { answerFor, UNKNOWN } from './problem.ts'

export interface ProblemDetailsOptions {
  /**
   * What becomes of an error that says nothing about its answer: `'answer'` (default) is a 500 that tells the client nothing, `'pass'` is
   * left to the next error handler.
   */
  readonly unknown?: 'answer' | 'pass'
  /** Told of each error answered with 500, which shows nowhere else. Default: it is written to stderr, as Express does. */
  readonly onUnknown?: (error: unknown, req: object) => void
}

const toStderr = (error: unknown, _req: object): void => void stderr.write(`${inspect(error)}\n`)

const rules = { unknown: oneOf(['answer', 'pass'], 'answer'), onUnknown: fn(toStderr) }

/**
 * The error handler that answers with `application/problem+json`. It stands last.
 *
 * | error | answer |
 * |---|---|
 * | a refusal (`BREAKER_OPEN`, `BULKHEAD_FULL`, `NOT_STARTED`, …), `ABORTED` | 503 with `Retry-After` in whole seconds |
 * | `TIMEOUT`, `DEADLINE`, `WAIT_TIMEOUT` | 504 |
 * | `declined()`, `SAGA_ID_REUSED`, `SAGA_UNDONE` | 409 with the message; of a saga only where a step declined |
 * | `INVALID_INPUT`, `NOT_JSON` | 400 with the message and the issues |
 * | `SAGA_NOT_FOUND` | 404 |
 * | one with a `status` from 400 to 499 (a body parser's) | that, with the message where it says `expose` |
 * | anything else | 500 without a word of it, or the next error handler |
 *
 * Messages of refusals stay inside; an answer that has begun is left to Express, which breaks it off.
 *
 * @param options
 * - `unknown`: `'answer'` (default) or `'pass'`.
 * - `onUnknown`: told of each error answered with 500; by default it is written to stderr, as Express does; `() => {}` is silence.
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none) at construction.
 * @example
 * ```ts
 * app.use(problemDetails({ onUnknown: (error) => log.error({ error }, 'request failed') }))
 * ```
 * Source: RFC 9457, Problem Details for HTTP APIs.
 */
export function problemDetails(options?: ProblemDetailsOptions): (error: unknown, req: object, res: ResponseSlice, next: Next) => void {
  const { unknown, onUnknown } = checkOptions('problemDetails', options, rules)
  // Express knows an error handler by its four parameters.
  return function problemDetails(error, req, res, next) {
    if (res.headersSent) return next(error)
    const known = answerFor(error)
    if (known === undefined && unknown === 'pass') return next(error)
    const { problem, retryAfterSeconds } = known ?? UNKNOWN
    if (known === undefined) onUnknown(error, req)
    if (retryAfterSeconds !== undefined) res.setHeader('retry-after', String(retryAfterSeconds))
    answerJson(res, problem.status, 'application/problem+json', problem)
  }
}
