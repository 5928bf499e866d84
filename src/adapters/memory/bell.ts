import type { Clock, Timer } from '../../core/clock.ts'
import { joinSignal, leaveSignal, Waiting } from '../../core/waiting.ts'

/** Why a wait is over. */
export type Woken = 'rung' | 'aborted' | 'late' | 'closed'

export interface WaitBounds {
  readonly signal?: AbortSignal | undefined
  readonly maxMs?: number
}

/** Wakes everybody who waits at it. Waiting costs no timer but that of its own bound. */
export class Bell {
  readonly #clock: Clock
  readonly #sleepers = new Set<Sleeper>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  ring(why: Woken = 'rung'): void {
    for (const sleeper of [...this.#sleepers]) sleeper.wake(why)
  }

  wait({ signal, maxMs }: WaitBounds): Promise<Woken> {
    if (signal?.aborted === true) return Promise.resolve('aborted')
    return new Promise((resolve) => {
      const sleeper = new Sleeper(signal, (why) => {
        this.#sleepers.delete(sleeper)
        resolve(why)
      })
      this.#sleepers.add(sleeper)
      if (maxMs !== undefined) sleeper.timer = this.#clock.setTimer(() => sleeper.wake('late'), maxMs)
    })
  }
}

class Sleeper extends Waiting {
  timer: Timer | undefined
  readonly #signal: AbortSignal | undefined
  readonly #woken: (why: Woken) => void

  constructor(signal: AbortSignal | undefined, woken: (why: Woken) => void) {
    super()
    this.#signal = signal
    this.#woken = woken
    if (signal !== undefined) joinSignal(signal, this)
  }

  abortedBy(): void {
    this.wake('aborted')
  }

  wake(why: Woken): void {
    this.timer?.clear()
    if (this.#signal !== undefined) leaveSignal(this.#signal, this)
    this.#woken(why)
  }
}
