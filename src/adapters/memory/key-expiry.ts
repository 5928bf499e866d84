import type { Clock, Timer } from '../../core/clock.ts'

/** Keys that end close to one another are noticed together. */
const TOGETHER_MS = 250

/** One timer for all keys of a store, and only while somebody watches: without a watcher what is over is noticed when it is asked for. */
export class KeyExpiry {
  readonly #clock: Clock
  readonly #walk: (nowMs: number) => number
  #timer: Timer | null = null
  #dueMs = Number.POSITIVE_INFINITY

  /** `walk` removes what is over and answers when the next one will be. */
  constructor(clock: Clock, walk: (nowMs: number) => number) {
    this.#clock = clock
    this.#walk = walk
  }

  /** A key will be over then. */
  expect(untilMs: number): void {
    if (untilMs === Number.POSITIVE_INFINITY) return
    const nowMs = this.#clock.nowMs()
    const dueMs = Math.max(untilMs, nowMs + TOGETHER_MS)
    if (dueMs >= this.#dueMs) return
    this.rest()
    this.#dueMs = dueMs
    this.#timer = this.#clock.setTimer(() => this.#due(), dueMs - nowMs, { background: true })
  }

  rest(): void {
    this.#timer?.clear()
    this.#timer = null
    this.#dueMs = Number.POSITIVE_INFINITY
  }

  #due(): void {
    this.#timer = null
    this.#dueMs = Number.POSITIVE_INFINITY
    this.expect(this.#walk(this.#clock.nowMs()))
  }
}
