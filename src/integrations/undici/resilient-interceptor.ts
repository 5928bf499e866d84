import type { Clock } from '../../core/clock.ts'
import { HoldfastError } from '../../core/errors.ts'
import type { Policy } from '../../core/handler.ts'
import { checkOptions, invalidOption } from '../../core/options.ts'
import { partsOf } from '../../core/policy-inside.ts'
import { clock, flag, whole } from '../../core/rules.ts'
import { Attempts, type Exchange } from '../http-shared/attempts.ts'
import { REPLAY_MAX_BYTES } from '../http-shared/body-bytes.ts'
import { OuterController } from './outer-controller.ts'
import { type Listener, Reply } from './reply.ts'
import { type Call, readCall } from './request.ts'
import type { UndiciDispatch, UndiciInterceptor } from './slice.ts'

export interface ResilientInterceptorOptions {
  /** Whether the headers of the context are sent (trace, deadline, key). Default true; false for servers of strangers. */
  readonly propagate?: boolean
  /** Larger request bodies are sent once, in bytes from 0. Default 1,048,576. */
  readonly replayMaxBytes?: number
  /** What the date in a `Retry-After` is held against. */
  readonly clock?: Clock
}

const rules = { propagate: flag(true), replayMaxBytes: whole({ default: REPLAY_MAX_BYTES }), clock }

/**
 * An interceptor for undici's `dispatcher.compose()`: a 5xx, a 429 and a network error count as failures, a 4xx does not.
 *
 * - When the last attempt still is a 5xx or 429 the caller gets that response; responses of earlier attempts are aborted. Policies see it
 *   as an error with the code `HTTP_STATUS`, `details: { status }`, and `retryAfterMs` from `Retry-After`.
 * - Only GET, HEAD, OPTIONS, TRACE, PUT and DELETE are sent twice; others only with an `Idempotency-Key` (a header, or the key of the
 *   context where one was handed in). Bodies of text or bytes are replayed up to `replayMaxBytes`; streams, forms, and whatever comes
 *   from undici's `fetch` with a body, never. A custom `retryIf` cannot change that.
 * - A permit (a bulkhead's slot) is held until the response's body has ended, failed or was destroyed: consume or destroy each, as undici
 *   asks anyway. A 5xx or 429 gives its permit back at once, so that a retry can have it.
 * - Sent where the caller has not set them: `traceparent`, `tracestate`, `baggage`, `holdfast-deadline-ms`, `x-correlation-id`, and the
 *   `Idempotency-Key` that was handed in, on methods that change something.
 * - `keys.host` is the origin's host and port; a request without an origin (of a `Client` or `Pool`) has none. A request may carry
 *   `context` and `keys` besides undici's options. `CONNECT` and upgrades pass through, unguarded.
 * - Whoever composes a policy that answers from elsewhere (a cache, a shared call) is refused at the call: only a response of its own
 *   can be handed on.
 *
 * @param options
 * - `propagate`: whether the context's headers are sent; default true.
 * - `replayMaxBytes`: request bodies above this many bytes are sent once; default 1,048,576.
 * - `clock`: what the date in a `Retry-After` is held against; default the process's clock.
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none) at construction, or from `dispatch` under an undici older than 7. A request
 * rejects with what the policy refuses with, with undici's own error, or with the reason of its aborted signal.
 * @example
 * ```ts
 * const guard = policies(retry({ attempts: 3 }), keyed(() => circuitBreaker(), { by: 'host' }))
 * const agent = new Agent().compose(resilientInterceptor(guard))
 * const { body } = await request('https://inventory.example/items/1', { dispatcher: agent })
 * ```
 */
export function resilientInterceptor(policy: Policy, options?: ResilientInterceptorOptions): UndiciInterceptor {
  partsOf('resilientInterceptor', policy)
  const { propagate, replayMaxBytes, clock } = checkOptions('resilientInterceptor', options, rules)
  const settings = { propagate, epochMs: () => clock.epochMs() }

  const intercept = (dispatch: UndiciDispatch): UndiciDispatch =>
    function resilientDispatch(request, handler) {
      if (request.method === 'CONNECT' || (request.upgrade ?? false) !== false) return dispatch(request, handler)
      if (typeof handler.onRequestStart !== 'function')
        throw invalidOption('resilientInterceptor', 'undici', 'of version 7 or newer, whose handlers have onRequestStart', handler)
      const call = readCall(request, replayMaxBytes)
      const controller = new OuterController()
      const to: Listener = { handler, controller, context: {} }
      handler.onRequestStart(controller, to.context)
      void answer(policy, new Attempts(call, exchange(call, dispatch, to), settings), call, to, controller)
      return true
    }
  return intercept as unknown as UndiciInterceptor
}

async function answer(policy: Policy, attempts: Attempts<Reply>, call: Call, to: Listener, controller: OuterController): Promise<void> {
  const { keys, context } = call
  const options = { keys, signal: controller.signal, ...(context !== undefined && { context }) }
  let given: Reply
  try {
    given = await policy.run((ctx) => attempts.attempt(ctx), options)
    if (!(given instanceof Reply && given.belongsTo(to))) throw foreign()
  } catch (error) {
    const end = attempts.unwrap(error)
    if (!('response' in end)) {
      attempts.settle(undefined)
      to.handler.onResponseError?.(controller, reasonOf(controller, end.error))
      return
    }
    given = end.response
  }
  attempts.settle(given)
  controller.steer(given)
  given.give()
}

const exchange = (call: Call, dispatch: UndiciDispatch, to: Listener): Exchange<Reply> => ({
  send: (headers, ctx) =>
    new Promise((resolve, reject) => {
      const reply = new Reply(to, resolve, reject)
      reply.listen(ctx)
      try {
        dispatch(call.with(headers), reply)
      } catch (error) {
        reply.onResponseError(undefined, error as Error)
      }
    }),
  statusOf: ({ status }) => status,
  retryAfterOf: ({ headers }) => [headers['retry-after']].flat()[0] ?? null,
  keep(reply, ctx) {
    ctx.hold(reply.end)
    return reply
  },
  discard: (reply) => reply.drop(new HoldfastError('ABORTED', 'nobody gets this response', { effect: 'unknown' })),
  refused: (error) => (error as { readonly code?: unknown } | null)?.code === 'UND_ERR_INVALID_ARG',
})

/** undici rejects with the reason of the caller's own abort. */
function reasonOf(controller: OuterController, error: unknown): Error {
  if (error instanceof HoldfastError && error.code === 'ABORTED' && controller.aborted) return controller.reason as Error
  return error instanceof Error ? error : new Error('the request failed', { cause: error })
}

const foreign = (): HoldfastError =>
  new HoldfastError('INVALID_OPTIONS', 'resilientInterceptor: the policy answered with something other than a response to this request', {
    effect: 'unknown',
  })
