import type { Clock } from '../../../core/clock.ts'

/** Wakes readers of this process when it has written, so that they look at once. */
export class Wakes {
  readonly #clock: Clock
  readonly #waiting = new Set<() => void>()
  #count = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** How often it has rung: who has seen less need not wait. */
  get count(): number {
    return this.#count
  }

  ring(): void {
    this.#count += 1
    for (const wake of [...this.#waiting]) wake()
  }

  /** Resolves at the next ring, after `maxMs`, or when the signal aborts. */
  wait(seen: number, maxMs: number, signal: AbortSignal | undefined): Promise<void> {
    if (seen !== this.#count || signal?.aborted === true) return Promise.resolve()
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake)
        timer.clear()
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      const timer = this.#clock.setTimer(wake, maxMs)
      signal?.addEventListener('abort', wake, { once: true })
      this.#waiting.add(wake)
    })
  }
}
