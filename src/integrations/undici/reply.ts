import type { Context } from '../../core/context.ts'
import { HoldfastError } from '../../core/errors.ts'
import type { UndiciController, UndiciHandler, UndiciHeaders } from './slice.ts'

/** More is not kept of a body that comes although it was told to pause. */
const KEPT_MAX_BYTES = 1_048_576

/** Who waits for the response, and the one controller that it is given for all attempts. */
export interface Listener {
  readonly handler: UndiciHandler
  readonly controller: UndiciController
  /** What undici calls the context of a request (a redirect's history), kept up to date. */
  readonly context: object
}

/**
 * One attempt as undici sees it: a handler that stops at the headers until it is known whether the caller gets this response, and then
 * hands everything on.
 */
export class Reply implements UndiciHandler {
  readonly #to: Listener
  readonly #started: (reply: Reply) => void
  readonly #failed: (error: unknown) => void
  readonly #ended: () => void
  #controller: UndiciController | undefined
  #kept: Array<() => void> = []
  #keptBytes = 0
  #given = false
  #over = false
  #dropped: Error | undefined
  #statusMessage: string | undefined
  status = 0
  headers: UndiciHeaders = {}
  /** Settles when the body has ended, however it did. */
  readonly end: Promise<void>

  constructor(to: Listener, started: (reply: Reply) => void, failed: (error: unknown) => void) {
    this.#to = to
    this.#started = started
    this.#failed = failed
    let ended = (): void => {}
    this.end = new Promise((resolve) => {
      ended = resolve
    })
    this.#ended = ended
  }

  belongsTo(listener: Listener): boolean {
    return this.#to === listener
  }

  /** Ends the request when `ctx` aborts, for as long as it lasts. */
  listen(ctx: Context): void {
    const { signal } = ctx
    const abort = (): void => this.drop(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    void this.end.then(() => signal.removeEventListener('abort', abort))
  }

  /** The caller gets this one. */
  give(): void {
    const { handler, controller } = this.#to
    this.#given = true
    controller.rawHeaders = this.#controller?.rawHeaders
    try {
      handler.onResponseStart?.(controller, this.status, this.headers, this.#statusMessage)
      for (const event of this.#kept.splice(0)) event()
    } catch (error) {
      if (this.#over) handler.onResponseError?.(controller, asError(error))
      this.drop(error)
    }
    if (!this.#over && !controller.paused) this.resume()
  }

  pause(): void {
    this.#controller?.pause()
  }

  resume(): void {
    this.#controller?.resume()
  }

  /** Nobody wants the rest. */
  drop(reason: unknown): void {
    if (this.#over || this.#dropped !== undefined) return
    this.#dropped = asError(reason)
    this.#kept = []
    this.#controller?.abort(this.#dropped)
  }

  onRequestStart(controller: UndiciController, context: unknown): void {
    this.#controller = controller
    if (typeof context === 'object' && context !== null) Object.assign(this.#to.context, context)
    if (this.#dropped !== undefined) controller.abort(this.#dropped)
  }

  onResponseStart(controller: UndiciController, status: number, headers: UndiciHeaders, statusMessage?: string): void {
    if (status < 200) {
      this.#to.handler.onResponseStart?.(this.#to.controller, status, headers, statusMessage)
      return
    }
    this.status = status
    this.headers = headers
    this.#statusMessage = statusMessage
    controller.pause()
    this.#started(this)
  }

  onResponseData(controller: UndiciController, chunk: { readonly byteLength: number }): void {
    const event = (): void => this.#to.handler.onResponseData?.(this.#to.controller, chunk as never)
    if (this.#given) event()
    else if (this.#dropped === undefined) {
      this.#kept.push(event)
      this.#keptBytes += chunk.byteLength
      if (this.#keptBytes > KEPT_MAX_BYTES) controller.abort(tooLong())
    }
  }

  onResponseEnd(controller: UndiciController, trailers: UndiciHeaders): void {
    const { handler, controller: outer } = this.#to
    this.#last(() => {
      outer.rawTrailers = controller.rawTrailers
      handler.onResponseEnd?.(outer, trailers)
    })
  }

  onResponseError(_: UndiciController | undefined, error: Error): void {
    this.#failed(error)
    this.#last(() => this.#to.handler.onResponseError?.(this.#to.controller, error))
  }

  #last(event: () => void): void {
    this.#over = true
    this.#ended()
    if (this.#given) event()
    else if (this.#dropped === undefined) this.#kept.push(event)
  }
}

const asError = (reason: unknown): Error => (reason instanceof Error ? reason : new Error('the request was aborted', { cause: reason }))

const tooLong = (): HoldfastError =>
  new HoldfastError('BODY_TOO_LONG', `more than ${KEPT_MAX_BYTES} bytes of a body came while it was paused`, { retry: 'never' })
