import type { Clock } from '../../core/clock.ts'
import { HoldfastError } from '../../core/errors.ts'

const ATTEMPTS = 6
const PAUSE_FIRST_MS = 4

export const pause = (clock: Clock, ms: number): Promise<void> => new Promise((resolve) => void clock.setTimer(resolve, ms))

/** Others were in the way, all was rolled back: a deadlock, a lost race between two serializable transactions, a lock that was held long. */
export const isContended = (error: unknown): boolean =>
  error instanceof HoldfastError && error.code === 'STORAGE_LOCKED' && error.effect === 'none'

/** Some more attempts while others are in the way, a little later each, with some chance in it so that two do not keep in step. */
export async function patiently<T>(clock: Clock, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (!isContended(error) || attempt === ATTEMPTS) throw error
      await pause(clock, PAUSE_FIRST_MS * 2 ** attempt * (0.5 + Math.random()))
    }
  }
}
