/** Lines of waiting things, one per key: only the first of each may go. */
export class Lanes<T> {
  readonly #lines = new Map<string, T[]>()

  /** Whether it may go at once; otherwise it waits for `leave`. */
  join(key: string, item: T): boolean {
    const line = this.#lines.get(key)
    if (line === undefined) {
      this.#lines.set(key, [item])
      return true
    }
    line.push(item)
    return false
  }

  /** The first of a key's line is done: returns the next one, which may go. */
  leave(key: string): T | undefined {
    const line = this.#lines.get(key)
    line?.shift()
    if (line !== undefined && line.length > 0) return line[0]
    this.#lines.delete(key)
    return undefined
  }
}
