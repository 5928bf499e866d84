import type { Outcome, Verdict } from '../core/outcome.ts'

/** Codes of the operating system, of Node and of undici that say that a connection was not made or did not last. */
const NETWORK = new Set([
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETRESET',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_SOCKET',
])

/** Answers that did not come in time, ours and those of `AbortSignal.timeout`. */
const TOO_LATE = new Set(['DEADLINE', 'TIMEOUT', 'WAIT_TIMEOUT'])

/** How deep causes are looked into. */
const CAUSES_MAX = 5

const read = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined

const textOf = (value: unknown, name: string): string => {
  const text = read(value, name)
  return typeof text === 'string' ? text : ''
}

const statusOf = (value: unknown): number | undefined => {
  for (const found of [read(value, 'status'), read(value, 'statusCode'), read(read(value, 'response'), 'status')])
    if (typeof found === 'number') return found
  return undefined
}

/** Whether an error, one of its causes, or one of the attempts it sums up says so. */
function someCause(error: unknown, says: (error: unknown) => boolean, depth = 0): boolean {
  if (typeof error !== 'object' || error === null || depth > CAUSES_MAX) return false
  if (says(error)) return true
  const errors = read(error, 'errors')
  if (Array.isArray(errors) && errors.slice(0, CAUSES_MAX).some((one) => someCause(one, says, depth + 1))) return true
  return someCause(read(error, 'cause'), says, depth + 1)
}

const isUnreachable = (error: unknown): boolean => {
  const code = textOf(error, 'code')
  return NETWORK.has(code) || TOO_LATE.has(code) || textOf(error, 'name') === 'TimeoutError'
}

/** No connection, a lost one, or no answer in time. */
const isNetwork = (error: unknown): boolean => someCause(error, isUnreachable)

/**
 * For HTTP: a 5xx and a 429 fail, whether it is the status of what was answered (a `Response`, or anything with `status` or `statusCode`) or
 * of what was thrown (there also `response.status`). Every other status succeeds: the server works, whatever it thinks of the request. What
 * was thrown without a status (a network error) fails.
 *
 * @example
 * ```ts
 * const breaker = circuitBreaker({ name: 'inventory', classify: httpFailures })
 * ```
 */
export function httpFailures(outcome: Outcome<unknown>): Verdict {
  const status = statusOf(outcome.ok ? outcome.value : outcome.error)
  if (status === undefined) return outcome.ok ? 'success' : 'failure'
  return status === 429 || status >= 500 ? 'failure' : 'success'
}

const SQLSTATE = /^[0-9A-Z]{5}$/
/** Connection exceptions, insufficient resources, operator intervention (a cancelled query, 57014, is none). */
const SICK_STATE = /^(?:08...|53...|57P..)$/

/**
 * For PostgreSQL: an error fails whose SQLSTATE is of class 08 (connection), 53 (resources) or 57P (the server stops or starts); any other
 * SQLSTATE, such as a unique violation (23505), succeeds: the database works. An error without one fails if it is a network error or says
 * that the connection ended, was not made, or did not answer in time; otherwise it is the program's own, and is ignored.
 */
export function postgresFailures(outcome: Outcome<unknown>): Verdict {
  if (outcome.ok) return 'success'
  const { error } = outcome
  // EPIPE has the form of a SQLSTATE.
  if (isNetwork(error)) return 'failure'
  if (someCause(error, (one) => SQLSTATE.test(textOf(one, 'code'))))
    return someCause(error, (one) => SICK_STATE.test(textOf(one, 'code'))) ? 'failure' : 'success'
  return someCause(error, (one) => LOST_POSTGRES.test(textOf(one, 'message'))) || hasOwnCode(error) ? 'failure' : 'ignore'
}

/** What `pg` and its pool say without a code. */
const LOST_POSTGRES =
  /^(?:Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|timeout expired|Query read timeout)/i
const hasOwnCode = (error: unknown): boolean => /^CONNECT(?:ION)?_/.test(textOf(error, 'code'))

/** Replies of a server that cannot serve for now. */
const SICK_REPLY = /^(?:LOADING|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|READONLY|BUSY|MISCONF|OOM|NOREPLICAS|UNKILLABLE)\b/
/** A reply begins with its kind in capitals. */
const REPLY = /^[A-Z]{2,}[A-Z0-9]*\b/
const LOST_REDIS =
  /Connection is closed|Socket closed|Socket already opened|The client is closed|max retries per request|Command timed out|Connection timeout|Socket timeout|Stream isn't writeable|Failed to refresh slots cache|sentinels are unreachable|root nodes are unavailable/i
const LOST_NAMES = new Set([
  'ClientClosedError',
  'ClientOfflineError',
  'ClusterAllFailedError',
  'CommandTimeoutDuringMaintenanceError',
  'ConnectionTimeoutError',
  'MaxRetriesPerRequestError',
  'RootNodesUnavailableError',
  'SocketClosedUnexpectedlyError',
  'SocketTimeoutDuringMaintenanceError',
  'SocketTimeoutError',
])

/**
 * For Redis (node-redis, ioredis): errors of the connection fail, and so do replies of a server that cannot serve for now (`LOADING`,
 * `CLUSTERDOWN`, `MASTERDOWN`, `TRYAGAIN`, `READONLY`, `BUSY`, `MISCONF`, `OOM`, `NOREPLICAS`). Any other reply, such as `WRONGTYPE`,
 * `NOSCRIPT` or `ERR`, succeeds: the server works. A transaction counts as the worst of its commands' replies. What is neither is the
 * program's own, and is ignored.
 */
export function redisFailures(outcome: Outcome<unknown>): Verdict {
  if (outcome.ok) return 'success'
  const { error } = outcome
  const lost = (one: unknown): boolean =>
    LOST_NAMES.has(textOf(one, 'name')) || LOST_NAMES.has(nameOfClass(one)) || LOST_REDIS.test(textOf(one, 'message'))
  if (isNetwork(error) || someCause(error, lost)) return 'failure'
  const answers = answersOf(error)
  if (answers.some((one) => SICK_REPLY.test(textOf(one, 'message')))) return 'failure'
  return answers.some((one) => REPLY.test(textOf(one, 'message'))) ? 'success' : 'ignore'
}

/** The error itself, and for a transaction the errors of its commands: `replies` of node-redis, `previousErrors` of ioredis. */
function answersOf(error: unknown): readonly unknown[] {
  const ofCommands = [read(error, 'replies'), read(error, 'previousErrors')].filter(Array.isArray).flat()
  return [error, ...ofCommands.filter((one) => one instanceof Error)]
}

const nameOfClass = (error: unknown): string => {
  const made = read(error, 'constructor')
  return typeof made === 'function' ? made.name : ''
}
