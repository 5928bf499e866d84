/** The longest allowed time is cut into this many slices: a call that hangs is noticed at most one slice later than it could be. */
const SLICES = 8
const SLOTS = SLICES + 1

/**
 * Counts the calls in flight by when they began, so that those that hang are known without an object, or a timer, per call. Each call is
 * handed out once: as overdue by `late`, or as in time by `ended`. O(1) per call, amortised.
 */
export class Overdue {
  readonly #sliceMs: number
  /** Calls in flight that began in each of the latest slices; made at the first call. */
  #began: number[] | null = null
  /** The number of the latest slice, its place in the list, and its time. */
  #slice = 0
  #slot = 0
  #startMs = 0
  #endMs = 0

  constructor(allowedMs: number) {
    this.#sliceMs = Math.max(1, allowedMs / SLICES)
  }

  /** One begins. How many have become overdue since it was last asked. */
  begin(nowMs: number): number {
    const late = this.late(nowMs)
    const began = this.#began as number[]
    ;(began[this.#slot] as number) += 1
    return late
  }

  /** How many calls have become overdue since it was last asked. */
  late(nowMs: number): number {
    return nowMs < this.#endMs && this.#began !== null ? 0 : this.#advance(nowMs)
  }

  /** False when the call has been handed out as overdue. */
  ended(enteredMs: number): boolean {
    const began = this.#began
    if (began === null) return false
    // Most calls end in the slice that they began in, which takes no division.
    const slot = enteredMs >= this.#startMs ? this.#slot : this.#slotAt(enteredMs)
    if (slot < 0 || began[slot] === 0) return false
    ;(began[slot] as number) -= 1
    return true
  }

  forget(): void {
    this.#began?.fill(0)
  }

  /** Negative for a slice that is too long ago to be kept. */
  #slotAt(enteredMs: number): number {
    const slice = Math.floor(enteredMs / this.#sliceMs)
    return slice <= this.#slice - SLOTS ? -1 : slice % SLOTS
  }

  #advance(nowMs: number): number {
    const slice = Math.floor(nowMs / this.#sliceMs)
    const began = this.#began
    let late = 0
    if (began === null) this.#began = [0, 0, 0, 0, 0, 0, 0, 0, 0]
    else
      for (let next = Math.max(this.#slice + 1, slice - SLOTS + 1); next <= slice; next++) {
        const slot = next % SLOTS
        late += began[slot] as number
        began[slot] = 0
      }
    this.#slice = slice
    this.#slot = slice % SLOTS
    this.#startMs = slice * this.#sliceMs
    this.#endMs = (slice + 1) * this.#sliceMs
    return late
  }
}
