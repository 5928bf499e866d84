interface Placed {
  readonly place: number
}

/** Taken entries leave a gap at the front of the array; it is closed when it is this long and most of the array. */
const GAP_MAX = 1_024

/**
 * First in, first out, with the way back: what was taken and comes back stands at its own place again. Pushing and taking cost O(1);
 * coming back O(log n) to find the place, and O(1) to stand there when things come back in their order.
 */
export class PlaceQueue<T extends Placed> {
  #fresh: (T | undefined)[] = []
  #from = 0
  /** Came back; sorted, and before everything that was never taken. */
  readonly #back: T[] = []

  get size(): number {
    return this.#back.length + this.#fresh.length - this.#from
  }

  /** `place` is higher than that of everything pushed before. */
  push(entry: T): void {
    this.#fresh.push(entry)
  }

  shift(): T | undefined {
    if (this.#back.length > 0) return this.#back.shift()
    const entry = this.#fresh[this.#from]
    if (entry === undefined) return undefined
    this.#fresh[this.#from++] = undefined
    if (this.#from >= GAP_MAX && this.#from * 2 > this.#fresh.length) {
      this.#fresh = this.#fresh.slice(this.#from)
      this.#from = 0
    }
    return entry
  }

  putBack(entry: T): void {
    let low = 0
    let high = this.#back.length
    if (high > 0 && (this.#back[high - 1] as T).place < entry.place) low = high
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#back[middle] as T).place < entry.place) low = middle + 1
      else high = middle
    }
    this.#back.splice(low, 0, entry)
  }
}
