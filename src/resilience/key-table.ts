/** One key and what belongs to it; in a ring from the longest unused to the latest used. */
export interface KeyEntry<V> {
  readonly key: string
  readonly value: V
  /** While above 0 it is not forgotten. */
  busy: number
  usedMs: number
  before: KeyEntry<V> | null
  after: KeyEntry<V> | null
}

/** A bounded table of keys, least recently used first. Every operation is O(1), but that busy keys are stepped over when room is made. */
export class KeyTable<V> {
  keysMax: number
  idleMs: number
  readonly #entries = new Map<string, KeyEntry<V>>()
  readonly #forgotten: (key: string) => void
  #first: KeyEntry<V> | null = null
  #last: KeyEntry<V> | null = null

  constructor(keysMax: number, idleMs: number, forgotten: (key: string) => void) {
    this.keysMax = keysMax
    this.idleMs = idleMs
    this.#forgotten = forgotten
  }

  get size(): number {
    return this.#entries.size
  }

  /** The longest unused first. */
  keys(): string[] {
    const keys: string[] = []
    for (let entry = this.#first; entry !== null; entry = entry.after) keys.push(entry.key)
    return keys
  }

  peek(key: string): KeyEntry<V> | undefined {
    return this.#entries.get(key)
  }

  /** Finds a key, makes it the latest used, and forgets the longest unused one if it has been idle too long. */
  use(key: string, nowMs: number): KeyEntry<V> | undefined {
    const entry = this.#entries.get(key)
    if (entry !== undefined) {
      entry.usedMs = nowMs
      if (this.#last !== entry) {
        this.#unlink(entry)
        this.#append(entry)
      }
    }
    const oldest = this.#first
    if (oldest !== null && oldest !== entry && oldest.busy === 0 && nowMs - oldest.usedMs >= this.idleMs) this.#remove(oldest)
    return entry
  }

  /** False when the table is full of busy keys. */
  makeRoom(): boolean {
    this.#shrinkTo(this.keysMax - 1)
    return this.#entries.size < this.keysMax
  }

  forget(key: string): void {
    const entry = this.#entries.get(key)
    if (entry !== undefined) this.#remove(entry)
  }

  /** Forgets the longest unused keys beyond `keysMax`, but for busy ones. */
  shrink(): void {
    this.#shrinkTo(this.keysMax)
  }

  #shrinkTo(keys: number): void {
    for (let entry = this.#first; entry !== null && this.#entries.size > keys; ) {
      const next: KeyEntry<V> | null = entry.after
      if (entry.busy === 0) this.#remove(entry)
      entry = next
    }
  }

  add(key: string, value: V, nowMs: number): KeyEntry<V> {
    const entry: KeyEntry<V> = { key, value, busy: 0, usedMs: nowMs, before: null, after: null }
    this.#entries.set(key, entry)
    this.#append(entry)
    return entry
  }

  #remove(entry: KeyEntry<V>): void {
    this.#unlink(entry)
    this.#entries.delete(entry.key)
    this.#forgotten(entry.key)
  }

  #append(entry: KeyEntry<V>): void {
    entry.before = this.#last
    if (this.#last === null) this.#first = entry
    else this.#last.after = entry
    this.#last = entry
  }

  #unlink(entry: KeyEntry<V>): void {
    if (entry.before === null) this.#first = entry.after
    else entry.before.after = entry.after
    if (entry.after === null) this.#last = entry.before
    else entry.after.before = entry.before
    entry.before = null
    entry.after = null
  }
}
