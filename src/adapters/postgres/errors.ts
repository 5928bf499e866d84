import { HoldfastError, type HoldfastErrorOptions } from '../../core/errors.ts'

interface DriverError {
  readonly code?: unknown
  readonly severity?: unknown
  readonly message?: unknown
}

/** What ends a connection, by SQLSTATE: the words of `severity` may be in the server's language. */
const FATAL = /^(57P0[1-5]|25P03|08...|58P01|XX00.)$/
/** The tables or functions are not there. */
const NOT_THERE = new Set(['42P01', '3F000', '42883', '42703'])
/** Others were in the way; the next attempt may go through. */
const CONTENDED = new Set(['40001', '40P01', '55P03'])
/** A plan that does not fit any more, a statement that a pooler's other connection does not know, one that it knows already. */
const PREPARE_AGAIN = new Set(['0A000', '26000', '42P05'])
const LATER = /^(40|53|55|57|58|08|25006)/

const MEANINGS: Readonly<Record<string, string>> = {
  '25006': 'it is read-only here (a standby, or default_transaction_read_only)',
  '53100': 'its disk is full',
  '53300': 'it has no connection left',
  '57014': 'the statement was cancelled or ran into statement_timeout',
  '57P01': 'an administrator ended the connection',
  '57P03': 'it is starting up or shutting down',
  '42501': 'the role lacks a privilege',
  '3D000': 'there is no such database',
  '26000': 'a prepared statement was gone (behind a pooler in transaction mode: preparedStatements: false)',
  '42P05': 'a prepared statement was there already (behind a pooler in transaction mode: preparedStatements: false)',
}

interface Details {
  readonly reason: string
  /** Absent where it was not the server that answered. */
  readonly sqlstate?: string
}

/** The SQLSTATE; undefined for what the server did not say. `EPIPE` has five letters too. */
function sqlstateOf(error: DriverError): string | undefined {
  const { code, severity } = error
  return typeof code === 'string' && typeof severity === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined
}

const messageOf = (error: DriverError): string => {
  const { message, code } = error
  if (typeof message === 'string' && message !== '') return message
  return typeof code === 'string' ? code : String(error)
}

const asDriverError = (error: unknown): DriverError => (typeof error === 'object' && error !== null ? error : { message: String(error) })

/** Whether the connection is gone, or in a state that nobody knows: anything but an error that the server itself calls survivable. */
export function isFatal(error: unknown): boolean {
  const driver = asDriverError(error)
  const sqlstate = sqlstateOf(driver)
  if (sqlstate === undefined) return true
  return driver.severity === 'FATAL' || driver.severity === 'PANIC' || (driver.severity !== 'ERROR' && FATAL.test(sqlstate))
}

/** No connection was had, so nothing was sent. */
export function connectError(error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error
  const driver = asDriverError(error)
  const sqlstate = sqlstateOf(driver)
  // A wrong password, role or database name stays wrong.
  const retry = sqlstate === undefined || LATER.test(sqlstate) ? 'later' : 'never'
  return unavailable(driver, sqlstate, { effect: 'none', retry, cause: error })
}

/**
 * A statement failed. What the server answers with severity ERROR is certainly rolled back; a connection that broke, or a client's own
 * time-out, says nothing about it.
 */
export function statementError(error: unknown, how: string): HoldfastError {
  if (error instanceof HoldfastError) return error
  const driver = asDriverError(error)
  const sqlstate = sqlstateOf(driver)
  if (sqlstate === undefined || isFatal(error)) return unavailable(driver, sqlstate, { effect: 'unknown', retry: 'later', cause: error })
  if (NOT_THERE.has(sqlstate)) return notMigrated(messageOf(driver), how, error)
  if (CONTENDED.has(sqlstate)) return contended(driver, sqlstate, error)
  const retry = LATER.test(sqlstate) || PREPARE_AGAIN.has(sqlstate) ? 'later' : 'never'
  return unavailable(driver, sqlstate, { effect: 'none', retry, cause: error })
}

function unavailable(driver: DriverError, sqlstate: string | undefined, options: HoldfastErrorOptions): HoldfastError {
  const meaning = sqlstate === undefined ? undefined : MEANINGS[sqlstate]
  const reason = meaning === undefined ? messageOf(driver) : `${meaning}: ${messageOf(driver)}`
  const details: Details = { reason, ...(sqlstate !== undefined && { sqlstate }) }
  return new HoldfastError('STORAGE_UNAVAILABLE', `PostgreSQL cannot be reached or written: ${reason}`, { details, ...options })
}

function contended(driver: DriverError, sqlstate: string, cause: unknown): HoldfastError {
  const details: Details = { reason: messageOf(driver), sqlstate }
  return new HoldfastError('STORAGE_LOCKED', `PostgreSQL: others were in the way: ${details.reason}`, {
    effect: 'none',
    retry: 'later',
    details,
    cause,
  })
}

/** `how`: which command or call creates what is missing. */
export const notMigrated = (reason: string, how: string, cause?: unknown): HoldfastError =>
  new HoldfastError('NOT_MIGRATED', `the tables of holdfast are missing or old (${reason}): ${how}`, {
    effect: 'none',
    retry: 'never',
    details: { reason, how },
    cause,
  })

/** What is stored there is left as it is. */
export const corrupt = (reason: string): HoldfastError =>
  new HoldfastError('STORAGE_CORRUPT', `the PostgreSQL database cannot be used as a storage: ${reason}. Nothing in it was changed`, {
    effect: 'none',
    retry: 'never',
    details: { reason },
  })

export const noConnection = (connectMaxMs: number): HoldfastError => {
  const reason = `the pool gave no connection within ${connectMaxMs} ms (connectMaxMs)`
  return new HoldfastError('STORAGE_UNAVAILABLE', `PostgreSQL cannot be reached: ${reason}`, {
    effect: 'none',
    retry: 'later',
    details: { reason },
  })
}

/** Whatever was sent may still be done. */
export const noAnswerWithin = (answerMaxMs: number, writes: boolean): HoldfastError => {
  const reason = `no answer within ${answerMaxMs} ms (answerMaxMs)`
  return new HoldfastError('STORAGE_UNAVAILABLE', `PostgreSQL cannot be reached: ${reason}`, {
    effect: writes ? 'unknown' : 'none',
    retry: 'later',
    details: { reason },
  })
}

/** The connection was found closed before anything was sent on it. */
export const closedBefore = (): HoldfastError =>
  new HoldfastError('STORAGE_UNAVAILABLE', 'PostgreSQL cannot be reached: the connection was lost', {
    effect: 'unknown',
    retry: 'later',
    details: { reason: 'the connection was lost' },
  })

/** Committed on the primary; whether the standby has it is not known. */
export const standbyWaitCancelled = (): HoldfastError => {
  const reason = 'the wait for a synchronous standby was cancelled, so that the primary alone may have what was written'
  return new HoldfastError('STORAGE_UNAVAILABLE', `PostgreSQL: ${reason}`, { effect: 'unknown', retry: 'later', details: { reason } })
}

/** `answer`: what COMMIT was answered, as far as it is known. */
export const notCommitted = (answer: unknown): HoldfastError =>
  answer === 'ROLLBACK'
    ? new HoldfastError('FAILED', 'a statement of the transaction had failed, so that COMMIT rolled it back', { effect: 'none' })
    : new HoldfastError(
        'STORAGE_UNAVAILABLE',
        'PostgreSQL: what COMMIT was answered is not known (is it a postgres.js of another version?)',
        {
          effect: 'unknown',
          retry: 'later',
        },
      )

/** The SQLSTATE that an error of this file carries. */
export function stateOf(error: unknown): string | undefined {
  const details = error instanceof HoldfastError ? (error.details as Partial<Details> | undefined) : undefined
  return details?.sqlstate
}

/** Certainly rolled back, and worth preparing the statement again: once. */
export const wantsPreparing = (error: unknown): boolean => PREPARE_AGAIN.has(stateOf(error) ?? '')
