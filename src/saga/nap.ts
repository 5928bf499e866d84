import type { Clock, Timer } from '../core/clock.ts'

/** A wait that can be cut short. */
export class Nap {
  readonly #clock: Clock
  #timer: Timer | null = null
  #done: (() => void) | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Resolves after `delayMs`, or when woken. One at a time. */
  sleep(delayMs: number, options: { readonly background?: boolean } = {}): Promise<void> {
    return new Promise((resolve) => {
      this.#done = resolve
      this.#timer = this.#clock.setTimer(() => this.wake(), delayMs, options)
    })
  }

  /** Does nothing while nobody sleeps. */
  wake(): void {
    this.#timer?.clear()
    this.#timer = null
    this.#done?.()
    this.#done = null
  }
}
