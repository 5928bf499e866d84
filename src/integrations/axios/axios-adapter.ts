import type { Clock } from '../../core/clock.ts'
import type { Policy } from '../../core/handler.ts'
import { checkOptions } from '../../core/options.ts'
import { partsOf } from '../../core/policy-inside.ts'
import { clock, flag, fn, required, whole } from '../../core/rules.ts'
import { Attempts } from '../http-shared/attempts.ts'
import { REPLAY_MAX_BYTES } from '../http-shared/body-bytes.ts'
import { type Answer, ended, exchange } from './answer.ts'
import { callersEnd } from './callers-end.ts'
import { readCall } from './request.ts'
import type { Adapter, AxiosAdapterSlice, AxiosConfigSlice, ResilientRequestConfig } from './slice.ts'

export interface AxiosAdapterOptions<A extends AxiosAdapterSlice> {
  /** What sends: `axios.getAdapter(axios.defaults.adapter)`, or an adapter of your own. */
  readonly adapter: A
  /** Whether the headers of the context are sent (trace, deadline, key). Default true; false for servers of strangers. */
  readonly propagate?: boolean
  /** Larger request bodies are sent once, in bytes from 0. Default 1,048,576. */
  readonly replayMaxBytes?: number
  /** What the date in a `Retry-After` is held against. */
  readonly clock?: Clock
}

const rules = {
  adapter: required(fn<AxiosAdapterSlice>(async () => Promise.reject())),
  propagate: flag(true),
  replayMaxBytes: whole({ default: REPLAY_MAX_BYTES }),
  clock,
}

/**
 * An adapter for axios that sends by another one, under a policy: a 5xx, a 429 and a network error count as failures, a 4xx does not.
 *
 * - What the caller gets is axios's own: the response, or the `AxiosError` that `validateStatus` made of it, of the last attempt. Policies
 *   see a 5xx or 429 as an error with the code `HTTP_STATUS`, `details: { status }`, and `retryAfterMs` from `Retry-After`.
 * - Only GET, HEAD, OPTIONS, TRACE, PUT and DELETE are sent twice; others only with an `Idempotency-Key` (a header, or the key of the
 *   context where one was handed in). Data is replayed up to `replayMaxBytes`, as axios has made text or bytes of it; a stream or a form
 *   never. A custom `retryIf` cannot change that.
 * - With `responseType: 'stream'` (of Node's) a permit is held until the stream has ended or was destroyed.
 * - Sent where the caller has not set them: `traceparent`, `tracestate`, `baggage`, `holdfast-deadline-ms`, `x-correlation-id`, and the
 *   `Idempotency-Key` that was handed in, on methods that change something.
 * - `keys.host` is the URL's host and port. A request may carry `context` and `keys` besides axios's configuration; in TypeScript its type
 *   is `AxiosRequestConfig & ResilientRequestConfig`. `signal` and `cancelToken` end every wait, no policy counts that as a failure, and
 *   axios makes its `CanceledError` of it.
 * - Transforms, interceptors and `validateStatus` stay where they were: outside.
 *
 * @param options
 * - `adapter`: what sends; required, because axios is yours.
 * - `propagate`: whether the context's headers are sent; default true.
 * - `replayMaxBytes`: request bodies above this many bytes are sent once; default 1,048,576.
 * - `clock`: what the date in a `Retry-After` is held against; default the process's clock.
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none) at construction. A call rejects with what the policy refuses with, or with
 * axios's own error.
 * @example
 * ```ts
 * const guard = policies(retry({ attempts: 3 }), circuitBreaker({ name: 'crm' }))
 * const crm = axios.create({ adapter: axiosAdapter(guard, { adapter: axios.getAdapter(axios.defaults.adapter) }) })
 * const { data } = await crm.get('https://crm.example/customers/1')
 * ```
 */
export function axiosAdapter<A extends AxiosAdapterSlice>(policy: Policy, options: AxiosAdapterOptions<A>): A {
  partsOf('axiosAdapter', policy)
  const { adapter, propagate, replayMaxBytes, clock } = checkOptions('axiosAdapter', options, rules)
  const settings = { propagate, epochMs: () => clock.epochMs() }

  async function axiosAdapter(config: AxiosConfigSlice & ResilientRequestConfig): Promise<unknown> {
    const call = readCall(config, replayMaxBytes)
    const { keys, context } = call
    const { signal, leave } = callersEnd(config)
    const attempts = new Attempts<Answer>(call, exchange(call, adapter as Adapter), settings)
    const run = { keys, ...(context !== undefined && { context }), ...(signal !== undefined && { signal }) }
    let answer: Answer
    try {
      answer = await policy.run((ctx) => attempts.attempt(ctx), run)
    } catch (error) {
      const end = attempts.unwrap(error)
      attempts.settle('response' in end ? end.response : undefined)
      if (!('response' in end)) {
        leave()
        throw own(end.error, config)
      }
      answer = end.response
    }
    attempts.settle(answer)
    const { response, rejection } = answer
    void (ended(response.data) ?? Promise.resolve()).then(leave)
    own(response, config)
    if (rejection !== undefined) throw own(rejection, config)
    return response
  }
  return axiosAdapter as unknown as A
}

/** Each attempt had a configuration of its own; the caller is told the one it gave. */
function own<T>(told: T, config: AxiosConfigSlice): T {
  return typeof told === 'object' && told !== null && 'config' in told ? Object.assign(told, { config }) : told
}
