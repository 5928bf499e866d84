import type { Clock, Timer } from '../../../core/clock.ts'
import type { Listener, Notifier } from '../../../ports/notifier.ts'

const TOPIC = 'holdfast events'
/** Hints to other processes are no closer together than this: each is a write. */
const APART_MS = 20
const LISTEN_MS = 1_000

/** Wakes readers when something was written: those of this process at once, those of others by hints where there are such. */
export class Wakes {
  readonly #clock: Clock
  readonly #hints: Notifier | undefined
  readonly #waiting = new Set<() => void>()
  #count = 0
  #closed = false
  #listening = false
  #hint: Timer | undefined

  constructor(clock: Clock, hints?: Notifier) {
    this.#clock = clock
    this.#hints = hints
  }

  /** How often it has rung: who has seen less need not wait. */
  get count(): number {
    return this.#count
  }

  ring(): void {
    this.#count += 1
    for (const wake of [...this.#waiting]) wake()
  }

  open(): void {
    this.#closed = false
  }

  wrote(): void {
    this.ring()
    if (this.#hints === undefined || this.#hint !== undefined || this.#closed) return
    this.#hint = this.#clock.setTimer(() => void this.#tell(), APART_MS, { background: true })
  }

  async #tell(): Promise<void> {
    this.#hint = undefined
    // It may be lost: every reader also looks by itself.
    await this.#hints?.notify(TOPIC).catch(() => {})
  }

  close(): void {
    this.#closed = true
    this.#hint?.clear()
    this.#hint = undefined
    this.ring()
  }

  /** Resolves at the next ring, after `maxMs`, or when the signal aborts. */
  wait(seen: number, maxMs: number, signal: AbortSignal | undefined): Promise<void> {
    if (seen !== this.#count || this.#closed || signal?.aborted === true) return Promise.resolve()
    void this.#listen()
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake)
        timer.clear()
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      const timer = this.#clock.setTimer(wake, maxMs)
      signal?.addEventListener('abort', wake, { once: true })
      this.#waiting.add(wake)
    })
  }

  /** For as long as somebody waits: one listener for all. */
  async #listen(): Promise<void> {
    if (this.#hints === undefined || this.#listening) return
    this.#listening = true
    let listener: Listener | undefined
    try {
      listener = await this.#hints.listen(TOPIC)
      while (!this.#closed) {
        const hinted = await listener.wait(LISTEN_MS)
        if (hinted) this.ring()
        else if (this.#waiting.size === 0) break
      }
    } catch {
      // Not open any more, or out of reach: readers look by themselves.
    } finally {
      listener?.close()
      this.#listening = false
    }
  }
}
