import type { Clock, Timer } from '../../core/clock.ts'
import { HoldfastError } from '../../core/errors.ts'
import { aborted } from '../storage-shared/refusals.ts'
import { isLocked, locked, lockedFor } from './errors.ts'

/** How many calls wait at most; more are refused at once. */
const WAITING_MAX = 1_000
/** Between two attempts: 1, 2, 4, 8 … at most this. An attempt costs some 10 µs. */
const PAUSE_MAX_MS = 16

interface Waiter {
  readonly attempt: () => void
  readonly refuse: (error: unknown) => void
  readonly leave: () => void
}

/**
 * Runs synchronous work in the order it was asked for and, while the database is locked by others, tries again until a bound: SQLite's
 * own waiting (`busy_timeout`) would block the event loop.
 */
export class Lane {
  readonly #clock: Clock
  readonly #place: string
  readonly #lockedMaxMs: number
  /** Oldest first; the timer is set exactly while it is not empty. */
  readonly #waiting: Waiter[] = []
  #timer: Timer | undefined
  #tries = 0

  constructor(clock: Clock, place: string, lockedMaxMs: number) {
    this.#clock = clock
    this.#place = place
    this.#lockedMaxMs = lockedMaxMs
  }

  /** Runs `work` at once, or after those who came before. `last`: without a bound, for what only waits for others. */
  async run<T>(call: string, work: () => T, signal?: AbortSignal, last = false): Promise<T> {
    if (signal?.aborted) throw aborted(call, signal)
    if (this.#waiting.length === 0) {
      try {
        return work()
      } catch (error) {
        if (!isLocked(error)) throw error
      }
    } else if (this.#waiting.length >= WAITING_MAX && !last) {
      throw locked(this.#place, `${WAITING_MAX} calls are waiting already`)
    }
    return this.#wait(call, work, signal, last)
  }

  #wait<T>(call: string, work: () => T, signal: AbortSignal | undefined, last: boolean): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const gaveUp = () => waiter.refuse(lockedFor(this.#place, this.#lockedMaxMs))
      const onAbort = () => waiter.refuse(aborted(call, signal as AbortSignal))
      const bound = last ? undefined : this.#clock.setTimer(gaveUp, this.#lockedMaxMs)
      const waiter: Waiter = {
        attempt: () => {
          const value = work()
          waiter.leave()
          resolve(value)
        },
        refuse: (error) => {
          waiter.leave()
          reject(error)
        },
        leave: () => {
          bound?.clear()
          signal?.removeEventListener('abort', onAbort)
          this.#remove(waiter)
        },
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#waiting.push(waiter)
      if (this.#waiting.length === 1) this.#pause(1)
    })
  }

  #remove(waiter: Waiter): void {
    this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
    if (this.#waiting.length > 0) return
    this.#timer?.clear()
    this.#tries = 0
  }

  #pause(ms: number): void {
    this.#timer = this.#clock.setTimer(() => this.#tryFirst(), ms)
  }

  /** One piece of work per turn of the event loop, however many wait. */
  #tryFirst(): void {
    const first = this.#waiting[0]
    if (first === undefined) return
    try {
      first.attempt()
      this.#tries = 0
    } catch (error) {
      if (error instanceof HoldfastError && isLocked(error)) this.#tries += 1
      else first.refuse(error)
    }
    if (this.#waiting.length === 0) return
    // With some chance in it, so that processes which wait for each other do not keep in step.
    this.#pause(this.#tries === 0 ? 0 : Math.min(PAUSE_MAX_MS, 2 ** this.#tries) * (0.5 + Math.random() / 2))
  }
}
