import type { Timer } from '../../core/clock.ts'
import { joinSignal, leaveSignal, Waiting } from '../../core/waiting.ts'

/** Sleeps until it is woken, its signal aborts or its timer fires, and leaves the others then. */
export class Sleeper<Why extends string> extends Waiting {
  /** Of a bound; whoever has one sets it. */
  timer: Timer | undefined
  readonly #signal: AbortSignal | undefined
  readonly #woken: (why: Why | 'aborted') => void

  constructor(signal: AbortSignal | undefined, woken: (why: Why | 'aborted') => void) {
    super()
    this.#signal = signal
    this.#woken = woken
    if (signal !== undefined) joinSignal(signal, this)
  }

  abortedBy(): void {
    this.wake('aborted')
  }

  wake(why: Why | 'aborted'): void {
    this.timer?.clear()
    if (this.#signal !== undefined) leaveSignal(this.#signal, this)
    this.#woken(why)
  }
}
