import { HoldfastError, type HoldfastErrorOptions, refusal } from '../../core/errors.ts'

/** SQLite's primary result codes that mean something to us; extended ones carry them in their lowest byte. */
const NAMES: Readonly<Record<number, string>> = {
  3: 'PERM',
  5: 'BUSY',
  6: 'LOCKED',
  7: 'NOMEM',
  8: 'READONLY',
  10: 'IOERR',
  11: 'CORRUPT',
  13: 'FULL',
  14: 'CANTOPEN',
  15: 'PROTOCOL',
  19: 'CONSTRAINT',
  23: 'AUTH',
  26: 'NOTADB',
}

const LOCKED = new Set(['BUSY', 'LOCKED', 'PROTOCOL'])
/** A constraint that fails says that what is stored contradicts itself: every write is checked before it is made. */
const CORRUPT = new Set(['CORRUPT', 'NOTADB', 'CONSTRAINT'])

interface DriverError {
  readonly message?: unknown
  readonly code?: unknown
  readonly rawCode?: unknown
  readonly errcode?: unknown
}

/** The primary code's name, from what each driver says: libsql `code` and `rawCode`, better-sqlite3 `code`, node:sqlite `errcode`. */
function nameOf(error: DriverError): string | undefined {
  const { code, rawCode, errcode } = error
  for (const value of [errcode, rawCode]) if (typeof value === 'number') return NAMES[value & 0xff]
  if (typeof code === 'string' && code.startsWith('SQLITE_')) return code.split('_')[1]
  // libsql, when it cannot open: ConnectionFailed("Unable to open connection to local database …: 14")
  const opening = /^ConnectionFailed\(.*: (\d+)"\)$/s.exec(String(error.message))
  return opening === null ? undefined : NAMES[Number(opening[1])]
}

/** Someone else's transaction is open on the very handle that we were given. */
const INSIDE = /within a transaction/
/** A table or column of ours that is not there any more, or JSON of ours that is none. */
const GONE = /no such (table|column)|has no column named|malformed JSON/

/**
 * The one error for whatever a driver throws. Nothing was written, since every transaction that fails is rolled back; the one exception
 * is an I/O error of a COMMIT, whose frames may have reached the disk.
 */
export function storageError(error: unknown, place: string, duringCommit = false): HoldfastError {
  if (error instanceof HoldfastError) return error
  const driver: DriverError = typeof error === 'object' && error !== null ? error : { message: error }
  const message = typeof driver.message === 'string' ? driver.message : String(error)
  const name = nameOf(driver)
  if ((name !== undefined && LOCKED.has(name)) || INSIDE.test(message)) return locked(place, message, error)
  if ((name !== undefined && CORRUPT.has(name)) || GONE.test(message)) return corrupt(place, message, error)
  const effect = duringCommit && (name === 'IOERR' || name === undefined) ? 'unknown' : 'none'
  return unavailable(place, message, { effect, cause: error, details: { place, reason: message, sqlite: name } })
}

export const locked = (place: string, reason: string, cause?: unknown): HoldfastError =>
  refusal('STORAGE_LOCKED', `${place} is locked: ${reason}`, { details: { place, reason }, cause })

export const lockedFor = (place: string, lockedMaxMs: number): HoldfastError => {
  const reason = `locked by another connection for ${lockedMaxMs} ms (lockedMaxMs)`
  return refusal('STORAGE_LOCKED', `${place} has been ${reason}`, { details: { place, reason } })
}

/** What is stored there is left as it is. */
export const corrupt = (place: string, reason: string, cause?: unknown): HoldfastError =>
  new HoldfastError('STORAGE_CORRUPT', `${place} cannot be used as a storage: ${reason}. Nothing in it was changed`, {
    effect: 'none',
    retry: 'never',
    details: { place, reason },
    cause,
  })

export const unavailable = (place: string, reason: string, options: HoldfastErrorOptions = {}): HoldfastError =>
  new HoldfastError('STORAGE_UNAVAILABLE', `${place} cannot be reached or written: ${reason}`, {
    effect: 'none',
    retry: 'later',
    details: { place, reason },
    ...options,
  })

export const isFolder = (place: string, cause: unknown): HoldfastError =>
  new HoldfastError('STORAGE_UNAVAILABLE', `${place} is a folder, not a file`, {
    effect: 'none',
    retry: 'never',
    details: { place, reason: 'a folder, not a file', sqlite: 'CANTOPEN' },
    cause,
  })

export const isLocked = (error: unknown): error is HoldfastError => error instanceof HoldfastError && error.code === 'STORAGE_LOCKED'
