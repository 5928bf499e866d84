import type { Context } from '../../core/context.ts'
import type { Ctx } from '../../core/ctx.ts'
import { HoldfastError } from '../../core/errors.ts'
import { headersFromContext } from '../../core/headers.ts'
import { heldUntilRead } from './held-body.ts'
import type { Call } from './request.ts'
import { retryAfterMs } from './retry-after.ts'

export type Send = (headers: Headers, signal: AbortSignal) => Promise<Response>

/** What a policy sees of a response that counts as a failure; the caller gets the response itself. */
class FailedResponse {
  constructor(
    readonly status: number,
    readonly response: Response,
  ) {}
}

/** The attempts of one call: what each sends, and what becomes of the responses that nobody gets. */
export class Attempts {
  readonly #call: Call
  readonly #send: Send
  readonly #propagate: boolean
  readonly #epochMs: () => number
  /** What the policy was told → what the caller is told. */
  readonly #originals = new WeakMap<object, { readonly error: unknown }>()
  #first: Promise<Response> | undefined
  #failed: Response | undefined
  #over = false

  constructor(call: Call, send: Send, options: { readonly propagate: boolean; readonly epochMs: () => number }) {
    this.#call = call
    this.#send = send
    this.#propagate = options.propagate
    this.#epochMs = options.epochMs
  }

  /** One attempt; for a request that must not be repeated, only the first is one. */
  attempt(ctx: Context): Promise<Response> {
    if (this.#first !== undefined && !this.#repeatable(ctx)) return this.#first.catch((error) => Promise.reject(this.#final(error)))
    this.#discard(undefined)
    this.#first = this.#try(ctx)
    return this.#first
  }

  /** The caller has its answer: `given` is part of it, everything else is let go. */
  settle(given: Response | undefined): void {
    this.#over = true
    this.#discard(given)
  }

  /** The response or the error behind what the policy rejected with. */
  unwrap(error: unknown): { readonly response: Response } | { readonly error: unknown } {
    let inner = error
    if (typeof error === 'object' && error !== null) {
      const original = this.#originals.get(error)
      if (original !== undefined) inner = original.error
    }
    const details = inner instanceof HoldfastError ? inner.details : undefined
    return details instanceof FailedResponse ? { response: details.response } : { error: inner }
  }

  async #try(ctx: Context): Promise<Response> {
    let response: Response
    try {
      response = await this.#send(this.#headers(ctx), ctx.signal)
    } catch (error) {
      throw this.#repeatable(ctx) ? error : this.#final(error)
    }
    if (this.#over || ctx.aborted) {
      discard(response)
      throw ctx.signal.reason
    }
    if (response.status < 500 && response.status !== 429) return heldUntilRead(response, ctx)
    // Not held: a retry around a bulkhead would wait for a slot that only its next attempt can give back.
    this.#failed = response
    throw this.#failure(response, ctx)
  }

  #failure(response: Response, ctx: Context): HoldfastError {
    const { status, headers } = response
    const waitMs = retryAfterMs(headers.get('retry-after'), this.#epochMs())
    return new HoldfastError('HTTP_STATUS', `the server answered ${status}`, {
      effect: 'unknown',
      retry: this.#repeatable(ctx) ? 'later' : 'never',
      ...(waitMs !== undefined && { retryAfterMs: waitMs }),
      details: new FailedResponse(status, response),
    })
  }

  /** The same error, marked so that no retry tries again; the caller gets the original. */
  #final(error: unknown): unknown {
    if (error instanceof HoldfastError && error.retry === 'never') return error
    const marked = new HoldfastError('NOT_REPEATABLE', 'the request may have been received and must not be sent twice', {
      effect: 'unknown',
      retry: 'never',
      cause: error,
    })
    this.#originals.set(marked, { error })
    return marked
  }

  #repeatable(ctx: Context): boolean {
    const { idempotent, replayable, headers } = this.#call
    return replayable && (idempotent || headers.has('idempotency-key') || givenKey(ctx) !== undefined)
  }

  #headers(ctx: Context): Headers {
    const headers = new Headers(this.#call.headers)
    if (!this.#propagate) return headers
    const traced = headers.has('traceparent')
    for (const [name, value] of Object.entries(headersFromContext(ctx))) {
      if (headers.has(name) || (traced && name === 'tracestate')) continue
      // A key nobody chose would promise more than the caller meant; on a safe request it means nothing.
      if (name === 'idempotency-key' && (this.#call.safe || givenKey(ctx) === undefined)) continue
      headers.set(name, value)
    }
    return headers
  }

  #discard(keep: Response | undefined): void {
    if (this.#failed !== undefined && this.#failed !== keep) discard(this.#failed)
    this.#failed = undefined
  }
}

const discard = (response: Response): void => void response.body?.cancel().catch(() => {})

/** The key that somebody handed in, not the one that a context makes when asked. */
const givenKey = (ctx: Context): string | undefined => (ctx as Ctx).meta.idempotencyKey
