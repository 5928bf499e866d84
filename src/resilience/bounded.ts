import type { Clock, Timer } from '../core/clock.ts'
import { HoldfastError } from '../core/errors.ts'

/**
 * Answers as the work does, or rejects after `storeTimeoutMs`, whether or not the work heeds the signal that it is given.
 *
 * @throws {HoldfastError} `STORAGE_UNAVAILABLE` (effect unknown) when the time is over.
 */
export async function bounded<T>(clock: Clock, storeTimeoutMs: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const patience = new AbortController()
  let timer: Timer | null = null
  const late = new Promise<never>((_, reject) => {
    const giveUp = (): void => {
      const error = new HoldfastError('STORAGE_UNAVAILABLE', `the store did not answer within ${storeTimeoutMs} ms (storeTimeoutMs)`, {
        retry: 'later',
      })
      patience.abort(error)
      reject(error)
    }
    // Once more round the loop: where this process was busy for so long the answer is there, and was not read.
    const look = (): void => {
      timer = clock.setTimer(giveUp, 0)
    }
    timer = clock.setTimer(look, storeTimeoutMs)
  })
  try {
    return await Promise.race([work(patience.signal), late])
  } finally {
    ;(timer as Timer | null)?.clear()
  }
}
