import type { Clock } from '../../core/clock.ts'
import { Bell, type WaitBounds, type Woken } from './bell.ts'

/** Requests that may wait for transactions; the next is refused. */
const WAITING_MAX = 1_000

/** How a wait for what others hold ended; `full`: it never began. */
export type Entered = 'free' | 'full' | Exclude<Woken, 'rung'>

interface Waiter {
  readonly keys: readonly string[]
  readonly bell: Bell
  readonly enter: () => void
  /** A transaction waits for those that hold, never behind those that wait: they may wait for it. */
  readonly tx: object | undefined
  readonly owner: object
  /** Its bound may ring in the step in which it enters: what has been done counts. */
  entered: boolean
}

/**
 * What open transactions hold: rows, by name. Whoever asks for one of them waits until it is free; those without a transaction in the order
 * of their arrival, wherever they share a name.
 */
export class Holds {
  readonly #holders = new Map<string, object>()
  readonly #waiting = new Set<Waiter>()

  /** Calls `work` at once where all keys are free, else as soon as they are: in the same step, so that nobody comes between. */
  enter(
    keys: readonly string[],
    work: () => void,
    by: { tx?: object; owner: object; clock: Clock } & WaitBounds,
  ): Promise<Entered> | 'free' {
    const { tx, owner, clock, ...bounds } = by
    const enter = (): void => {
      if (tx !== undefined) for (const key of keys) this.#holders.set(key, tx)
      work()
    }
    if (!this.#blocked(keys, tx, tx === undefined ? this.#asked() : NOTHING)) {
      enter()
      return 'free'
    }
    if (this.#waiting.size >= WAITING_MAX) return Promise.resolve('full')
    const waiter: Waiter = { keys, bell: new Bell(clock), enter, tx, owner, entered: false }
    return this.#wait(waiter, bounds)
  }

  async #wait(waiter: Waiter, bounds: WaitBounds): Promise<Entered> {
    this.#waiting.add(waiter)
    const woken = await waiter.bell.wait(bounds)
    if (woken === 'rung' || waiter.entered) return 'free'
    this.#waiting.delete(waiter)
    this.#admit()
    return woken
  }

  /** Ends what a transaction holds and waits for. */
  release(tx: object): void {
    for (const [key, holder] of this.#holders) if (holder === tx) this.#holders.delete(key)
    for (const waiter of this.#waiting) if (waiter.tx === tx) this.#end(waiter)
    this.#admit()
  }

  /** Ends the waits of one opening. */
  leave(owner: object): void {
    for (const waiter of this.#waiting) if (waiter.owner === owner) this.#end(waiter)
    this.#admit()
  }

  #end(waiter: Waiter): void {
    this.#waiting.delete(waiter)
    waiter.bell.ring('closed')
  }

  #admit(): void {
    const asked = new Set<string>()
    for (const waiter of this.#waiting) {
      const { keys, tx } = waiter
      if (this.#blocked(keys, tx, tx === undefined ? asked : NOTHING)) {
        if (tx === undefined) for (const key of keys) asked.add(key)
        continue
      }
      this.#waiting.delete(waiter)
      waiter.entered = true
      waiter.enter()
      waiter.bell.ring()
    }
  }

  #asked(): ReadonlySet<string> {
    if (this.#waiting.size === 0) return NOTHING
    return new Set([...this.#waiting].filter(({ tx }) => tx === undefined).flatMap(({ keys }) => keys))
  }

  #blocked(keys: readonly string[], tx: object | undefined, asked: ReadonlySet<string>): boolean {
    if (this.#holders.size === 0 && asked.size === 0) return false
    return keys.some((key) => asked.has(key) || (this.#holders.get(key) ?? tx) !== tx)
  }
}

const NOTHING: ReadonlySet<string> = new Set()
