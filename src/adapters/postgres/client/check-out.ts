import type { Clock } from '../../../core/clock.ts'
import { aborted } from '../../storage-shared/refusals.ts'
import { connectError, noConnection } from '../errors.ts'

export interface CheckOutOptions {
  readonly connectMaxMs: number
  readonly clock: Clock
  readonly signal: AbortSignal | undefined
}

/** Waits for a connection until the bound or an abort; one that comes later is given back at once. */
export function checkOut<T>(ask: () => Promise<T>, giveBack: (late: T) => void, options: CheckOutOptions): Promise<T> {
  const { connectMaxMs, clock, signal } = options
  if (signal?.aborted) return Promise.reject(aborted('connect', signal))
  return new Promise<T>((resolve, reject) => {
    let left = false
    const leave = (error: unknown): void => {
      if (left) return
      left = true
      bound.clear()
      signal?.removeEventListener('abort', onAbort)
      if (error !== undefined) reject(error)
    }
    const onAbort = (): void => leave(aborted('connect', signal as AbortSignal))
    const bound = clock.setTimer(() => leave(noConnection(connectMaxMs)), connectMaxMs)
    signal?.addEventListener('abort', onAbort, { once: true })
    const came = (connection: T): void => {
      if (left) {
        giveBack(connection)
        return
      }
      leave(undefined)
      resolve(connection)
    }
    // An `ask` that throws is a rejection too.
    Promise.resolve()
      .then(ask)
      .then(came, (error: unknown) => leave(connectError(error)))
  })
}
