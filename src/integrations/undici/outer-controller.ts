import type { Reply } from './reply.ts'
import type { UndiciController } from './slice.ts'

/** What the caller holds from before the first attempt to the end of the last: steers whichever reply it is given. */
export class OuterController implements UndiciController {
  rawHeaders: unknown = null
  rawTrailers: unknown = null
  readonly #abort = new AbortController()
  #given: Reply | undefined
  #paused = false

  get signal(): AbortSignal {
    return this.#abort.signal
  }
  get aborted(): boolean {
    return this.#abort.signal.aborted
  }
  get reason(): Error | null {
    return this.aborted ? (this.#abort.signal.reason as Error) : null
  }
  get paused(): boolean {
    return this.#paused
  }

  steer(reply: Reply): void {
    this.#given = reply
  }

  abort(reason: Error): void {
    if (this.aborted) return
    this.#abort.abort(reason)
    this.#given?.drop(reason)
  }

  pause(): void {
    this.#paused = true
    this.#given?.pause()
  }

  resume(): void {
    this.#paused = false
    this.#given?.resume()
  }
}
