import type { Clock } from '../../core/clock.ts'
import { joinSignal, leaveSignal } from '../../core/waiting.ts'
import { OnAbort } from '../storage-shared/on-abort.ts'
import { aborted } from '../storage-shared/refusals.ts'
import { abandoned, type Call, redisError, unavailable } from './errors.ts'
import type { Script } from './scripts.ts'
import type { Listener, Wire } from './wire.ts'

export interface LinkOptions {
  readonly wire: Wire
  readonly prefix: string
  readonly timeoutMs: number
  readonly clock: Clock
}

/** Runs scripts: one round trip each, an end to every wait, one kind of error. */
export class Link {
  readonly clock: Clock
  readonly #wire: Wire
  readonly #key: string
  readonly #timeoutMs: number

  constructor(options: LinkOptions) {
    this.clock = options.clock
    this.#wire = options.wire
    this.#key = `{${options.prefix}}:n`
    this.#timeoutMs = options.timeoutMs
  }

  run(script: Script, args: readonly string[], call: Call, signal?: AbortSignal): Promise<unknown> {
    if (signal?.aborted === true) return Promise.reject(aborted(call.name, signal))
    if (!this.#wire.usable) return Promise.reject(unavailable(call, 'the client was closed, or never connected', { none: true }))
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        timer.clear()
        if (signal !== undefined) leaveSignal(signal, waiting)
      }
      const waiting = new OnAbort(() => {
        timer.clear()
        reject(abandoned(call, signal as AbortSignal))
      })
      const timer = this.clock.setTimer(() => {
        leave()
        reject(unavailable(call, `nothing came for ${this.#timeoutMs} ms (timeoutMs)`))
      }, this.#timeoutMs)
      if (signal !== undefined) joinSignal(signal, waiting)
      this.#send(script, args).then(
        (answer) => {
          leave()
          resolve(answer)
        },
        (error: unknown) => {
          leave()
          reject(redisError(error, call))
        },
      )
    })
  }

  listen(channel: string, hint: () => void): Listener {
    return this.#wire.listen(channel, hint)
  }

  /** By its sum; in full where the server does not know it, which is once after each of its starts. */
  async #send(script: Script, args: readonly string[]): Promise<unknown> {
    try {
      return await this.#wire.evalSha(script.sha, this.#key, args)
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
      return this.#wire.evalText(script.text, this.#key, args)
    }
  }
}
