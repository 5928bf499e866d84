import type { Clock } from '../../core/clock.ts'
import { Sleeper } from '../storage-shared/sleeper.ts'

/** Why a wait is over. */
export type Woken = 'rung' | 'aborted' | 'late' | 'closed'

export interface WaitBounds {
  readonly signal?: AbortSignal | undefined
  readonly maxMs?: number
}

/** Wakes everybody who waits at it. Waiting costs no timer but that of its own bound. */
export class Bell {
  readonly #clock: Clock
  readonly #sleepers = new Set<Sleeper<Woken>>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  ring(why: Woken = 'rung'): void {
    for (const sleeper of [...this.#sleepers]) sleeper.wake(why)
  }

  wait({ signal, maxMs }: WaitBounds): Promise<Woken> {
    if (signal?.aborted === true) return Promise.resolve('aborted')
    return new Promise((resolve) => {
      const sleeper = new Sleeper<Woken>(signal, (why) => {
        this.#sleepers.delete(sleeper)
        resolve(why)
      })
      this.#sleepers.add(sleeper)
      if (maxMs !== undefined) sleeper.timer = this.#clock.setTimer(() => sleeper.wake('late'), maxMs)
    })
  }
}
