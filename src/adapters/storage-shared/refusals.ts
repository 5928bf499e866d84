import { HoldfastError, refusal } from '../../core/errors.ts'

/** What a storage answers that was never opened, or was closed. */
export const notStarted = (engine: string): HoldfastError =>
  refusal('NOT_STARTED', `the ${engine} storage is not open: call open(), or start() of the application it belongs to`)

/** What an aborted call answers; nothing of it was done. */
export const aborted = (call: string, signal: AbortSignal): HoldfastError =>
  new HoldfastError('ABORTED', `${call} was aborted before it did anything`, { effect: 'none', retry: 'never', cause: signal.reason })

export const invalidInput = (what: string, must: string, given: string): HoldfastError =>
  new HoldfastError('INVALID_INPUT', `${what} must be ${must}, got ${given}`, { effect: 'none', retry: 'never' })

export const loneSurrogate = (what: string): HoldfastError =>
  new HoldfastError('NOT_JSON', `${what}: text with a lone surrogate has no UTF-8 form; leave it out, or store the bytes as base64`, {
    effect: 'none',
    retry: 'never',
    details: { path: what, found: 'a lone surrogate' },
  })

export const tooLarge = (what: string, limit: string, given: string): HoldfastError =>
  new HoldfastError('TOO_LARGE', `${what} may have ${limit}, got ${given}`, {
    effect: 'none',
    retry: 'never',
    details: { what, limit, given },
  })
