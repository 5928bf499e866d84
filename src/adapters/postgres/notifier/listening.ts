import type { Clock, Timer } from '../../../core/clock.ts'
import type { Listener } from '../../../ports/notifier.ts'
import { aborted, notStarted } from '../../storage-shared/refusals.ts'

/** Who waits until when. */
interface Wait {
  readonly wake: (hinted: boolean) => void
  readonly fail: (error: unknown) => void
}

/** Keeps at most one hint that nobody has waited for. */
export class Listening implements Listener {
  readonly topic: string
  readonly #clock: Clock
  readonly #told: { readonly waits: () => void; readonly rests: () => void; readonly closed: () => void }
  readonly #waits = new Set<Wait>()
  #hinted = false
  #isOpen = true

  constructor(topic: string, clock: Clock, told: { readonly waits: () => void; readonly rests: () => void; readonly closed: () => void }) {
    this.topic = topic
    this.#clock = clock
    this.#told = told
  }

  get isWaited(): boolean {
    return this.#waits.size > 0
  }

  hint(): void {
    if (this.#waits.size === 0) this.#hinted = true
    for (const { wake } of [...this.#waits]) wake(true)
  }

  async wait(maxMs: number, signal?: AbortSignal): Promise<boolean> {
    if (!this.#isOpen) throw notStarted('PostgreSQL')
    if (signal?.aborted) throw aborted('wait', signal)
    if (this.#hinted) {
      this.#hinted = false
      return true
    }
    return await new Promise<boolean>((resolve, reject) => {
      const leave = (): void => {
        bound.clear()
        signal?.removeEventListener('abort', onAbort)
        this.#waits.delete(wait)
        if (this.#waits.size === 0) this.#told.rests()
      }
      const wait: Wait = {
        wake: (hinted) => {
          leave()
          resolve(hinted)
        },
        fail: (error) => {
          leave()
          reject(error)
        },
      }
      const onAbort = (): void => wait.fail(aborted('wait', signal as AbortSignal))
      const bound: Timer = this.#clock.setTimer(() => wait.wake(false), maxMs)
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#waits.add(wait)
      this.#told.waits()
    })
  }

  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    for (const { fail } of [...this.#waits]) fail(notStarted('PostgreSQL'))
    this.#told.closed()
  }
}
