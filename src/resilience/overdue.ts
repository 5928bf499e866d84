/** The longest allowed time is cut into this many slices: a call that hangs is noticed at most one slice later than it could be. */
const SLICES = 8
const SLOTS = SLICES + 1

/**
 * Counts the calls in flight by when they began, so that those that hang are known without an object, or a timer, per call. Each call is
 * handed out once: as overdue by `late`, or as in time by `ended`. O(1) per call, amortised.
 */
export class Overdue {
  readonly #sliceMs: number
  /** Made at the first call. Calls in flight that began in each of the latest slices. */
  #began: number[] | null = null
  /** The number of the latest slice, and its time. */
  #slice = 0
  #sliceStartMs = 0
  #sliceEndMs = 0

  constructor(allowedMs: number) {
    this.#sliceMs = Math.max(1, allowedMs / SLICES)
  }

  /** Has to follow `late` of the same moment. */
  begin(): void {
    const began = this.#began as number[]
    ;(began[this.#slice % SLOTS] as number) += 1
  }

  /** How many calls have become overdue since it was last asked. */
  late(nowMs: number): number {
    return this.#began !== null && nowMs < this.#sliceEndMs ? 0 : this.#advance(nowMs)
  }

  /** False when the call has been handed out as overdue. */
  ended(enteredMs: number): boolean {
    // Most calls end in the slice that they began in, which takes no division.
    const slice = enteredMs >= this.#sliceStartMs ? this.#slice : Math.floor(enteredMs / this.#sliceMs)
    if (this.#began === null || slice <= this.#slice - SLOTS) return false
    const slot = slice % SLOTS
    if (this.#began[slot] === 0) return false
    ;(this.#began[slot] as number) -= 1
    return true
  }

  forget(): void {
    this.#began?.fill(0)
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
    this.#sliceStartMs = slice * this.#sliceMs
    this.#sliceEndMs = (slice + 1) * this.#sliceMs
    return late
  }
}
