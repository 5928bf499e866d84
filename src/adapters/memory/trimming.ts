/** Fewer entries than this are not worth a walk. */
const LEAST = 1_024

/**
 * Removes entries whose time is over, without a timer for each: when a map has doubled since the last walk it is walked again, so that it
 * holds at most twice what is alive and a write costs O(1) on the whole.
 */
export class Trimming<T extends { readonly untilMs: number }> {
  #walkAt = LEAST
  readonly #map: Map<string, T>
  readonly #over: (key: string) => void

  /** `over` removes the entry. */
  constructor(map: Map<string, T>, over: (key: string) => void) {
    this.#map = map
    this.#over = over
  }

  /** To be called with each new entry. */
  grew(nowMs: number): void {
    if (this.#map.size < this.#walkAt) return
    this.walk(nowMs)
    this.#walkAt = Math.max(LEAST, this.#map.size * 2)
  }

  /** Removes what is over; answers when the next one will be. */
  walk(nowMs: number): number {
    let nextMs = Number.POSITIVE_INFINITY
    for (const [key, { untilMs }] of this.#map) {
      if (untilMs <= nowMs) this.#over(key)
      else if (untilMs < nextMs) nextMs = untilMs
    }
    return nextMs
  }
}
