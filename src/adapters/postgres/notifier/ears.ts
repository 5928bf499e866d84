import type { Listening } from './listening.ts'

/** How hints come: pushed by a connection that listens, or found by looking. */
export interface Ears {
  readonly delivery: 'pushed' | 'polled'
  readonly reason: string
  open(): Promise<void>
  /** Resolves when it hears what is notified from now on. */
  add(listener: Listening): Promise<void>
  remove(listener: Listening): void
  /** Somebody waits at it, or nobody does any more. */
  waits(listener: Listening): void
  rests(listener: Listening): void
  close(): Promise<void>
}

/** The listeners of each topic, by its hash. */
export class Topics {
  readonly #byHash = new Map<string, Set<Listening>>()

  get hashes(): readonly string[] {
    return [...this.#byHash.keys()]
  }

  get waited(): readonly string[] {
    return [...this.#byHash].filter(([, all]) => [...all].some(({ isWaited }) => isWaited)).map(([hash]) => hash)
  }

  add(hash: string, listener: Listening): void {
    const all = this.#byHash.get(hash) ?? new Set()
    this.#byHash.set(hash, all.add(listener))
  }

  remove(hash: string, listener: Listening): void {
    const all = this.#byHash.get(hash)
    all?.delete(listener)
    if (all?.size === 0) this.#byHash.delete(hash)
  }

  hint(hash: string): void {
    for (const listener of [...(this.#byHash.get(hash) ?? [])]) listener.hint()
  }

  hintAll(): void {
    for (const hash of this.hashes) this.hint(hash)
  }
}
