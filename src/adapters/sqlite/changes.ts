import type { Clock, Timer } from '../../core/clock.ts'
import { Sleeper } from '../storage-shared/sleeper.ts'

/** How a wait for a change ended. */
export type Woken = 'changed' | 'late' | 'aborted' | 'closed'

export interface ChangeWait {
  /** What `mark` gave before the caller looked: a change since then ends the wait at once. */
  readonly since: number
  /** Absent: for as long as it takes. */
  readonly maxMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * That the database may have changed: told at once by this process's own writes, and by looking every `pollMs` for those of other
 * connections, which one timer does for all who wait, and none while nobody does.
 */
export class Changes {
  readonly #clock: Clock
  readonly #pollMs: number
  /** A number that is another one after each commit, whoever made it; undefined where it cannot be had just now. */
  readonly #look: () => number | undefined
  readonly #waiting = new Set<Sleeper<Woken>>()
  #timer: Timer | undefined
  #seen: number | undefined
  #mark = 0
  #isOpen = false

  constructor(clock: Clock, pollMs: number, look: () => number | undefined) {
    this.#clock = clock
    this.#pollMs = pollMs
    this.#look = look
  }

  /** Taken before reading: whatever is committed from then on ends the wait that follows. */
  mark(): number {
    const seen = this.#look()
    if (seen !== undefined && seen !== this.#seen) {
      this.#seen = seen
      this.ring()
    }
    return this.#mark
  }

  /** Something was committed. */
  ring(): void {
    this.#mark += 1
    this.#wake('changed')
  }

  open(): void {
    this.#isOpen = true
  }

  /** Everybody who waits is told, and whoever comes later at once. */
  close(): void {
    this.#isOpen = false
    this.#wake('closed')
  }

  wait({ since, maxMs, signal }: ChangeWait): Promise<Woken> {
    if (!this.#isOpen) return Promise.resolve('closed')
    if (signal?.aborted === true) return Promise.resolve('aborted')
    if (since !== this.#mark) return Promise.resolve('changed')
    return new Promise((resolve) => {
      const waiter = new Sleeper<Woken>(signal, (why) => {
        this.#waiting.delete(waiter)
        if (this.#waiting.size === 0) this.#timer?.clear()
        resolve(why)
      })
      if (maxMs !== undefined) waiter.timer = this.#clock.setTimer(() => waiter.wake('late'), maxMs)
      this.#waiting.add(waiter)
      if (this.#waiting.size === 1) this.#poll()
    })
  }

  #wake(why: Woken): void {
    for (const waiter of [...this.#waiting]) waiter.wake(why)
  }

  #poll(): void {
    // Somebody waits for it: a process that does nothing but follow the log stays alive.
    this.#timer = this.#clock.setTimer(() => {
      this.mark()
      if (this.#waiting.size > 0) this.#poll()
    }, this.#pollMs)
  }
}
