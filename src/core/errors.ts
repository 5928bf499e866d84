import type { Effect } from './outcome.ts'

/** The codes holdfast itself uses; any other string is the user's own. */
export type HoldfastCode =
  | 'ABORTED'
  | 'BREAKER_ISOLATED'
  | 'BREAKER_OPEN'
  | 'BULKHEAD_FULL'
  | 'DEADLINE'
  | 'DECLINED'
  | 'FAILED'
  | 'INVALID_INPUT'
  | 'INVALID_OPTIONS'
  | 'KEYS_EXHAUSTED'
  | 'KEY_REUSED'
  | 'LOG_RESET'
  | 'NAME_REUSED'
  | 'NOT_JSON'
  | 'NOT_MIGRATED'
  | 'NOT_REGISTERED'
  | 'NOT_STARTED'
  | 'PACKAGE_MISSING'
  | 'QUEUE_FULL'
  | 'QUEUE_TIMEOUT'
  | 'RATE_LIMITED'
  | 'RETRIES_TWICE'
  | 'SAGA_ID_REUSED'
  | 'SAGA_NOT_FOUND'
  | 'SAGA_STUCK'
  | 'SAGA_UNDONE'
  | 'STORAGE_CORRUPT'
  | 'STORAGE_LOCKED'
  | 'STORAGE_UNAVAILABLE'
  | 'STREAM_ARCHIVED'
  | 'STREAM_BUSY'
  | 'STREAM_TOMBSTONED'
  | 'SUBJECT_FORGOTTEN'
  | 'TIMEOUT'
  | 'TOO_LARGE'
  | 'TX_NOT_OPEN'
  | 'WAIT_TIMEOUT'

export interface HoldfastErrorOptions {
  /** `'none'`: certainly nothing happened. `'unknown'` (default): perhaps something did. */
  readonly effect?: Effect
  /** `'never'` (default): trying again cannot help. `'later'`: it may. */
  readonly retry?: 'later' | 'never'
  /** How long to wait before trying again, in milliseconds. */
  readonly retryAfterMs?: number
  /** Anything a program wants to read: option names, issues, counts. */
  readonly details?: unknown
  readonly cause?: unknown
}

const BRAND = Symbol.for('holdfast/error')

function branded(x: unknown): boolean {
  try {
    return typeof x === 'object' && x !== null && (x as Record<symbol, unknown>)[BRAND] === true
  } catch {
    // Anything can be thrown, a revoked proxy too; whoever asks what it is must not fail over it.
    return false
  }
}

/**
 * The one error class of holdfast: what went wrong (`code`), whether anything may have happened (`effect`) and whether trying again
 * can help (`retry`).
 *
 * `instanceof HoldfastError` holds across the ESM and the CommonJS copy of the package, because it reads a brand, not the prototype.
 *
 * @example
 * ```ts
 * try {
 *   await guard.run(charge)
 * } catch (error) {
 *   if (error instanceof HoldfastError && error.effect === 'none') await queue.later(error.retryAfterMs ?? 1_000)
 *   else throw error
 * }
 * ```
 */
export class HoldfastError extends Error {
  readonly code: HoldfastCode | (string & {})
  readonly effect: Effect
  readonly retry: 'later' | 'never'
  declare readonly retryAfterMs?: number
  declare readonly details?: unknown

  constructor(code: HoldfastCode | (string & {}), message: string, options: HoldfastErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.effect = options.effect ?? 'unknown'
    this.retry = options.retry ?? 'never'
    if (options.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs
    if (options.details !== undefined) this.details = options.details
  }

  // Not declared as static members: a declared `[Symbol.hasInstance]` breaks the narrowing of `instanceof` for TypeScript users.
  static {
    Object.defineProperty(HoldfastError.prototype, BRAND, { value: true })
    Object.defineProperty(HoldfastError.prototype, 'name', { value: 'HoldfastError', writable: true, configurable: true })
    Object.defineProperty(HoldfastError, Symbol.hasInstance, {
      value: branded,
    })
  }
}

/**
 * Makes an error without a stack: refusals are the hot path of a bad day, and a stack costs 4 µs that nobody reads.
 * Effect none and retry later unless said otherwise.
 */
export function refusal(code: HoldfastCode, message: string, options?: HoldfastErrorOptions): HoldfastError {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    return new HoldfastError(code, message, { effect: 'none', retry: 'later', ...options })
  } finally {
    Error.stackTraceLimit = limit
  }
}

/** Whether an error says that certainly nothing happened and that later may be better: a full bulkhead, an open breaker. */
export const isRefusal = (error: unknown): error is HoldfastError =>
  error instanceof HoldfastError && error.effect === 'none' && error.retry === 'later'

export interface VerdictOptions {
  readonly details?: unknown
  readonly cause?: unknown
}

/** They are called where something is failing already: a missing message must not hide the verdict. */
const textOr = (word: string, message: unknown): string => (typeof message === 'string' && message !== '' ? message : word)

/**
 * A business "no": nothing happened and trying again cannot help (`DECLINED`, effect none, retry never). No undo, no retry, breakers
 * ignore it, a message goes to the dead letters at once, HTTP answers 409.
 *
 * @example
 * ```ts
 * if (response.status === 409) throw declined('out of stock', { details: { sku } })
 * ```
 */
export const declined = (message: string, options: VerdictOptions = {}): HoldfastError =>
  new HoldfastError('DECLINED', textOr('declined', message), { ...options, effect: 'none', retry: 'never' })

/** Something may have happened, and trying again cannot help (`FAILED`, effect unknown, retry never): undo, do not retry. */
export const failed = (message: string, options: VerdictOptions = {}): HoldfastError =>
  new HoldfastError('FAILED', textOr('failed', message), { ...options, effect: 'unknown', retry: 'never' })
