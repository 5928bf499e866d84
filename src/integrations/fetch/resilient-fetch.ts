import type { Clock } from '../../core/clock.ts'
import { HoldfastError } from '../../core/errors.ts'
import type { Policy, RunOptions } from '../../core/handler.ts'
import { checkOptions } from '../../core/options.ts'
import { partsOf } from '../../core/policy-inside.ts'
import { clock, flag, fn, optional, whole } from '../../core/rules.ts'
import { Attempts, type Exchange } from '../http-shared/attempts.ts'
import { REPLAY_MAX_BYTES } from '../http-shared/body-bytes.ts'
import { heldUntilRead } from './held-body.ts'
import { type Call, type FetchInput, isInit, ownMembers, type ResilientRequestInit, readCall } from './request.ts'

type Fetch = (input: FetchInput, init?: RequestInit) => Promise<Response>

export interface ResilientFetchOptions {
  /** What sends. Default: `globalThis.fetch`, looked up at each call. */
  readonly fetch?: Fetch
  /** Whether the headers of the context are sent (trace, deadline, key). Default true; false for servers of strangers. */
  readonly propagate?: boolean
  /** Larger request bodies are sent once, in bytes from 0. Default 1,048,576. */
  readonly replayMaxBytes?: number
  /** What the date in a `Retry-After` is held against. */
  readonly clock?: Clock
}

/** fetch's own signature, with `context` and `keys` besides. */
export type ResilientFetch = (input: FetchInput, init?: ResilientRequestInit) => Promise<Response>

const rules = {
  fetch: optional(fn<Fetch>((input, init) => fetch(input, init))),
  propagate: flag(true),
  replayMaxBytes: whole({ default: REPLAY_MAX_BYTES }),
  clock,
}

/**
 * fetch under a policy: a 5xx, a 429 and a network error count as failures, a 4xx does not.
 *
 * - When the last attempt still is a 5xx or 429 the caller gets the `Response`, as from fetch; responses of earlier attempts are cancelled.
 *   Policies see it as an error with the code `HTTP_STATUS`, `details: { status, response }`, and `retryAfterMs` from `Retry-After`.
 * - Only GET, HEAD, OPTIONS, TRACE, PUT and DELETE are sent twice; others only with an `Idempotency-Key` (a header, or the key of the
 *   context where one was handed in). Bodies of text, bytes, parameters, blobs and forms are replayed up to `replayMaxBytes`; a stream
 *   (also as the body of a `Request`) never. A custom `retryIf` cannot change that.
 * - A permit (a bulkhead's slot) is held until the body has been read to its end, was cancelled, failed, or was dropped unread and
 *   collected: read or cancel what you ask for. A 5xx or 429 gives its permit back at once, so that a retry can have it.
 * - Sent where the caller has not set them: `traceparent`, `tracestate`, `baggage`, `holdfast-deadline-ms`, `x-correlation-id`, and the
 *   `Idempotency-Key` that was handed in, on methods that change something.
 * - `keys.host` is the URL's host and port. `init.signal` counts besides the signal of the context; when it aborts, the rejection is its
 *   reason, as with fetch. Arguments that fetch refuses are refused by fetch, and no policy hears of it.
 *
 * @param options
 * - `fetch`: what sends; default `globalThis.fetch`, looked up at each call.
 * - `propagate`: whether the context's headers are sent; default true.
 * - `replayMaxBytes`: request bodies above this many bytes are sent once; default 1,048,576.
 * - `clock`: what the date in a `Retry-After` is held against; default the process's clock.
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none) at construction. A call rejects with what the policy refuses with, with fetch's
 * `TypeError` after a network error, or with the reason of an aborted signal.
 * @example
 * ```ts
 * const fetchInventory = resilientFetch(policies(retry({ attempts: 3 }), circuitBreaker({ name: 'inventory' })))
 * const response = await fetchInventory('https://inventory.example/items/1')
 * ```
 */
export function resilientFetch(policy: Policy, options?: ResilientFetchOptions): ResilientFetch {
  partsOf('resilientFetch', policy)
  const { fetch: given, propagate, replayMaxBytes, clock } = checkOptions('resilientFetch', options, rules)

  return async function resilientFetch(input, init) {
    const send = given ?? globalThis.fetch
    if (!isInit(init)) return send(input, init)
    const { context, keys, ...plain } = ownMembers(init)
    const call = readCall(input, plain, replayMaxBytes)
    if (call === undefined) return send(input, plain)
    const attempts = new Attempts(
      call,
      exchange(call, (headers, signal) => send(input, { ...plain, headers, signal })),
      {
        propagate,
        epochMs: () => clock.epochMs(),
      },
    )
    try {
      const response = await policy.run((ctx) => attempts.attempt(ctx), runOptions(call, context, keys))
      attempts.settle(response)
      return response
    } catch (error) {
      const end = attempts.unwrap(error)
      attempts.settle('response' in end ? end.response : undefined)
      if ('response' in end) return end.response
      throw reasonOf(call, end.error)
    }
  }
}

const exchange = (call: Call, send: (headers: Headers, signal: AbortSignal) => Promise<Response>): Exchange<Response> => ({
  send(added, ctx) {
    const headers = new Headers(call.headers)
    for (const [name, value] of Object.entries(added)) headers.set(name, value)
    return send(headers, ctx.signal)
  },
  statusOf: ({ status }) => status,
  retryAfterOf: ({ headers }) => headers.get('retry-after'),
  keep: heldUntilRead,
  discard: (response) => void response.body?.cancel().catch(() => {}),
})

const runOptions = (call: Call, context: RunOptions['context'], keys: RunOptions['keys']): RunOptions => ({
  keys: { host: call.host, ...keys },
  ...(context !== undefined && { context }),
  ...(call.signal !== undefined && { signal: call.signal }),
})

/** fetch rejects with the reason of the caller's own signal. */
function reasonOf(call: Call, error: unknown): unknown {
  const abort = error instanceof HoldfastError && error.code === 'ABORTED'
  return abort && call.signal?.aborted === true ? call.signal.reason : error
}
