import type { Clock } from '../../../core/clock.ts'
import { HoldfastError } from '../../../core/errors.ts'
import { aborted } from '../../storage-shared/refusals.ts'
import { noAnswerWithin } from '../errors.ts'
import type { CallOptions } from './client.ts'

export interface Bound {
  readonly clock: Clock
  readonly answerMaxMs: number
  /** Told when the answer is no longer waited for. */
  readonly abandon?: () => void
}

/**
 * What was sent, as its caller may see it: without a doubt about reads, left at once when the signal aborts, and when no answer comes: a
 * connection that was cut without a word, or a driver that has lost the question, would never give one.
 */
export async function leaving<T>(sent: Promise<T>, call: CallOptions, bound: Bound): Promise<T> {
  const left = untilAborted(sent, call)
  return await (call.unbounded === true ? left : answered(left, call, bound))
}

function answered<T>(sent: Promise<T>, { writes }: CallOptions, { clock, answerMaxMs, abandon }: Bound): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = clock.setTimer(() => {
      reject(noAnswerWithin(answerMaxMs, writes))
      abandon?.()
    }, answerMaxMs)
    sent.then(resolve, reject).finally(() => timer.clear())
  })
}

async function untilAborted<T>(sent: Promise<T>, { call, writes, signal }: CallOptions): Promise<T> {
  const told = writes
    ? sent
    : sent.catch((error: unknown) => {
        throw certainlyNone(error)
      })
  if (signal === undefined) return await told
  let onAbort = (): void => {}
  const left = new Promise<never>((_, reject) => {
    onAbort = () => reject(writes ? abortedInFlight(call, signal) : aborted(call, signal))
    signal.addEventListener('abort', onAbort, { once: true })
    // It may have come while the connection was waited for, after the pool had answered.
    if (signal.aborted) onAbort()
  })
  told.catch(() => {})
  try {
    return await Promise.race([told, left])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

export const abortedInFlight = (call: string, signal: AbortSignal): HoldfastError =>
  new HoldfastError('ABORTED', `${call} was aborted while it was on its way`, { effect: 'unknown', retry: 'never', cause: signal.reason })

/** The same error where nothing can have been written: a read, or a transaction that never came to its commit. */
export function certainlyNone(error: unknown): unknown {
  if (!(error instanceof HoldfastError) || error.effect === 'none') return error
  const { code, message, retry, details, cause } = error
  return new HoldfastError(code, message, { effect: 'none', retry, details, cause })
}
