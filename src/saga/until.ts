import type { Clock } from '../core/clock.ts'
import { HoldfastError } from '../core/errors.ts'

/** Something that can end a wait: told how, it answers how to leave. */
export type Ender<Why extends string> = (end: (why: Why) => void) => () => void

export const after =
  <const Why extends string>(clock: Clock, delayMs: number, why: Why): Ender<Why> =>
  (end) => {
    const timer = clock.setTimer(() => end(why), delayMs)
    return () => timer.clear()
  }

export const whenAborted =
  <const Why extends string>(signal: AbortSignal, why: Why): Ender<Why> =>
  (end) => {
    const told = (): void => end(why)
    if (signal.aborted) queueMicrotask(told)
    signal.addEventListener('abort', told)
    return () => signal.removeEventListener('abort', told)
  }

/** Waits for the first of several ends, and leaves all of them. */
export function until<Why extends string>(enders: readonly Ender<Why>[]): Promise<Why> {
  return new Promise((resolve) => {
    let over = false
    const leaves: (() => void)[] = []
    const end = (why: Why): void => {
      if (over) return
      over = true
      for (const leave of leaves) leave()
      resolve(why)
    }
    for (const ender of enders) {
      const leave = ender(end)
      if (over) leave()
      else leaves.push(leave)
    }
  })
}

/** Answers as the work does, or at once when the signal aborts; the work goes on. */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work
  return new Promise((resolve, reject) => {
    const told = (): void => reject(abortedBy(signal, 'unknown'))
    if (signal.aborted) told()
    signal.addEventListener('abort', told)
    const leave = (): void => signal.removeEventListener('abort', told)
    work.finally(leave).then(resolve, reject)
  })
}

export function abortedBy(signal: AbortSignal, effect: 'none' | 'unknown'): HoldfastError {
  const reason: unknown = signal.reason
  if (reason instanceof HoldfastError && reason.code === 'DEADLINE')
    return new HoldfastError('DEADLINE', reason.message, { effect, retry: 'later' })
  return new HoldfastError('ABORTED', 'the caller gave up', { effect, cause: reason })
}
