import { type HoldfastCode, HoldfastError, refusal } from './errors.ts'

export const deadlinePassed = (): HoldfastError => refusal('DEADLINE', 'the deadline has passed', { effect: 'unknown' })

/**
 * The answer to a caller whose context was aborted: the time-out or deadline that did it, or `ABORTED` with the caller's own reason as
 * its cause. `started`: whether the work had begun, so that something may have happened.
 */
export function abortedError(ctx: { readonly reason: unknown }, started: boolean): HoldfastError {
  const { reason } = ctx
  const effect = started ? 'unknown' : 'none'
  if (reason instanceof HoldfastError && (reason.code === 'DEADLINE' || reason.code === 'TIMEOUT'))
    return refusal(reason.code as HoldfastCode, reason.message, { effect, cause: reason.cause })
  return refusal('ABORTED', 'the caller gave up', { effect, retry: 'never', cause: reason })
}
