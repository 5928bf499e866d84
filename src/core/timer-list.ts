import type { Clock, Timer } from './clock.ts'
import { type Sweepable, sweepLater } from './sweep.ts'

/** Something due at a time. Its links are fields of the call itself, so that arming a timeout allocates nothing. */
export interface Due {
  due: Due | null
  dueBefore: Due | null
  /** The list it is in. */
  dueIn: TimerList | null
  /** When, on the list's clock; fixed while it is in the list. */
  readonly dueMs: number
  fire(): void
}

/**
 * Timers of one and the same delay: first in, first out, one native timer for the earliest. Adding and removing are pointer writes;
 * the native timer is given back at the end of the turn in which the list became empty.
 */
export class TimerList implements Sweepable {
  awaitsSweep = false
  readonly #delayMs: number
  readonly #clock: Clock
  #first: Due | null = null
  #last: Due | null = null
  #timer: Timer | null = null

  constructor(delayMs: number, clock: Clock) {
    this.#delayMs = delayMs
    this.#clock = clock
  }

  get empty(): boolean {
    return this.#first === null
  }

  /** `entry` has to be due after the list's delay from now. */
  add(entry: Due): void {
    entry.dueIn = this
    entry.dueBefore = this.#last
    if (this.#last === null) this.#first = entry
    else this.#last.due = entry
    this.#last = entry
    if (this.#timer === null) this.#arm(this.#delayMs)
  }

  /** Does nothing for an entry that is not in the list. */
  remove(entry: Due): void {
    if (entry.dueIn !== this) return
    entry.dueIn = null
    if (entry.dueBefore === null) this.#first = entry.due
    else entry.dueBefore.due = entry.due
    if (entry.due === null) this.#last = entry.dueBefore
    else entry.due.dueBefore = entry.dueBefore
    entry.due = null
    entry.dueBefore = null
    if (this.#first === null) sweepLater(this)
  }

  sweep(): void {
    if (this.#first !== null || this.#timer === null) return
    this.#timer.clear()
    this.#timer = null
  }

  #arm(delayMs: number): void {
    this.#timer = this.#clock.setTimer(() => this.#tick(), delayMs)
  }

  // A timer may fire a fraction early by the clock (Node rounds to whole milliseconds): half a millisecond early counts as due,
  // and what is left is armed for at least one, so that this never spins.
  #tick(): void {
    this.#timer = null
    const nowMs = this.#clock.nowMs()
    for (let entry = this.#first; entry !== null && entry.dueMs <= nowMs + 0.5; entry = this.#first) {
      this.remove(entry)
      entry.fire()
    }
    if (this.#first !== null && this.#timer === null) this.#arm(Math.max(1, (this.#first as Due).dueMs - nowMs))
  }
}
