import type { Context } from '../../core/context.ts'
import type { Ctx } from '../../core/ctx.ts'
import { HoldfastError } from '../../core/errors.ts'
import { headersFromContext } from '../../core/headers.ts'
import type { Effect } from '../../core/outcome.ts'
import { retryAfterMs } from './retry-after.ts'
import type { Sent } from './sent.ts'

/** How a client sends one attempt, and what it can do with the response. */
export interface Exchange<R> {
  /** Sends it with these headers besides the caller's. */
  send(headers: Readonly<Record<string, string>>, ctx: Context): Promise<R>
  statusOf(response: R): number
  retryAfterOf(response: R): string | null
  /** The response as the caller gets it, with the permits of `ctx` held for as long as its body lasts. */
  keep(response: R, ctx: Context): R
  /** Lets go of a response that nobody gets. */
  discard(response: R): void
  /** Whether the error says that the client itself refused the request, so that nothing was sent. */
  refused?(error: unknown): boolean
}

/** What a policy sees of a response that counts as a failure; the caller gets the response itself. */
class FailedResponse<R> {
  constructor(
    readonly status: number,
    readonly response: R,
  ) {}
}

/** The attempts of one call: what each sends, and what becomes of the responses that nobody gets. */
export class Attempts<R> {
  readonly #sent: Sent
  readonly #exchange: Exchange<R>
  readonly #propagate: boolean
  readonly #epochMs: () => number
  /** What the policy was told → what the caller is told. */
  readonly #originals = new WeakMap<object, { readonly error: unknown }>()
  #first: Promise<R> | undefined
  #failed: R | undefined
  #over = false

  constructor(sent: Sent, exchange: Exchange<R>, options: { readonly propagate: boolean; readonly epochMs: () => number }) {
    this.#sent = sent
    this.#exchange = exchange
    this.#propagate = options.propagate
    this.#epochMs = options.epochMs
  }

  /** One attempt; for a request that must not be repeated, only the first is one. */
  attempt(ctx: Context): Promise<R> {
    if (this.#first !== undefined && !this.#repeatable(ctx)) return this.#first.catch((error) => Promise.reject(this.#final(error)))
    this.#discard(undefined)
    this.#first = this.#try(ctx)
    return this.#first
  }

  /** The caller has its answer: `given` is part of it, everything else is let go. */
  settle(given: R | undefined): void {
    this.#over = true
    this.#discard(given)
  }

  /** The response or the error behind what the policy rejected with. */
  unwrap(error: unknown): { readonly response: R } | { readonly error: unknown } {
    let inner = error
    if (typeof error === 'object' && error !== null) {
      const original = this.#originals.get(error)
      if (original !== undefined) inner = original.error
    }
    const details = inner instanceof HoldfastError ? inner.details : undefined
    return details instanceof FailedResponse ? { response: details.response } : { error: inner }
  }

  async #try(ctx: Context): Promise<R> {
    let response: R
    try {
      response = await this.#exchange.send(this.#headers(ctx), ctx)
    } catch (error) {
      // Not the fault of the server, so no breaker counts it.
      if (this.#exchange.refused?.(error) === true) throw this.#marked(error, 'DECLINED', 'the client refused the request', 'none')
      throw this.#repeatable(ctx) ? error : this.#final(error)
    }
    if (this.#over || ctx.aborted) {
      this.#exchange.discard(response)
      throw ctx.signal.reason
    }
    const status = this.#exchange.statusOf(response)
    if (status < 500 && status !== 429) return this.#exchange.keep(response, ctx)
    // Not held: a retry around a bulkhead would wait for a slot that only its next attempt can give back.
    this.#failed = response
    throw this.#failure(status, response, ctx)
  }

  #failure(status: number, response: R, ctx: Context): HoldfastError {
    const waitMs = retryAfterMs(this.#exchange.retryAfterOf(response), this.#epochMs())
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
    return this.#marked(error, 'NOT_REPEATABLE', 'the request may have been received and must not be sent twice', 'unknown')
  }

  #marked(error: unknown, code: string, message: string, effect: Effect): HoldfastError {
    const marked = new HoldfastError(code, message, { effect, retry: 'never', cause: error })
    this.#originals.set(marked, { error })
    return marked
  }

  #repeatable(ctx: Context): boolean {
    const { idempotent, replayable } = this.#sent
    return replayable && (idempotent || this.#sent.hasHeader('idempotency-key') || givenKey(ctx) !== undefined)
  }

  #headers(ctx: Context): Record<string, string> {
    if (!this.#propagate) return {}
    const traced = this.#sent.hasHeader('traceparent')
    const entries = Object.entries(headersFromContext(ctx)).filter(([name]) => {
      if (this.#sent.hasHeader(name) || (traced && name === 'tracestate')) return false
      // A key nobody chose would promise more than the caller meant; on a safe request it means nothing.
      return name !== 'idempotency-key' || !(this.#sent.safe || givenKey(ctx) === undefined)
    })
    return Object.fromEntries(entries)
  }

  #discard(keep: R | undefined): void {
    if (this.#failed !== undefined && this.#failed !== keep) this.#exchange.discard(this.#failed)
    this.#failed = undefined
  }
}

/** The key that somebody handed in, not the one that a context makes when asked. */
const givenKey = (ctx: Context): string | undefined => (ctx as Ctx).meta.idempotencyKey
