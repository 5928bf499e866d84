/** Something in a heap. It knows its place, so that it can leave from anywhere. */
export interface Heaped {
  /** -1 while it is in none. */
  heapAt: number
}

/** A binary heap: adding, taking the first and leaving from anywhere are O(log n). */
export class Heap<T extends Heaped> {
  readonly #items: T[] = []
  readonly #before: (a: T, b: T) => boolean

  constructor(before: (a: T, b: T) => boolean) {
    this.#before = before
  }

  get first(): T | undefined {
    return this.#items[0]
  }

  add(item: T): void {
    this.#up(item, this.#items.length)
  }

  remove(item: T): void {
    const at = item.heapAt
    item.heapAt = -1
    const last = this.#items.pop() as T
    if (last === item) return
    last.heapAt = at
    this.#items[at] = last
    this.moved(last)
  }

  /** Its place in the order has changed. */
  moved(item: T): void {
    this.#up(item, item.heapAt)
    this.#down(item, item.heapAt)
  }

  #up(item: T, from: number): void {
    let at = from
    while (at > 0) {
      const above = (at - 1) >> 1
      const parent = this.#items[above] as T
      if (!this.#before(item, parent)) break
      this.#put(parent, at)
      at = above
    }
    this.#put(item, at)
  }

  #down(item: T, from: number): void {
    const items = this.#items
    let at = from
    for (;;) {
      let child = 2 * at + 1
      if (child >= items.length) break
      if (child + 1 < items.length && this.#before(items[child + 1] as T, items[child] as T)) child += 1
      if (!this.#before(items[child] as T, item)) break
      this.#put(items[child] as T, at)
      at = child
    }
    this.#put(item, at)
  }

  #put(item: T, at: number): void {
    this.#items[at] = item
    item.heapAt = at
  }
}
