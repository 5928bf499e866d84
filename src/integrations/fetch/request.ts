import type { Context } from '../../core/context.ts'
import { bytesOf } from '../http-shared/body-bytes.ts'
import { methodRules, type Sent } from '../http-shared/sent.ts'

/** fetch's own options, and what the policy is told. */
export interface ResilientRequestInit extends RequestInit {
  /** The context to call under; without it the ambient one, or a fresh one. */
  readonly context?: Context
  /** For keyed policies; `host` is filled in from the URL. */
  readonly keys?: Readonly<Record<string, string>>
}

export type FetchInput = string | URL | Request

/** One call, read once: what every attempt sends. */
export interface Call extends Sent {
  readonly host: string
  readonly headers: Headers
  readonly signal: AbortSignal | undefined
}

/** Anything else fetch refuses. */
export const isInit = (init: unknown): boolean => init === undefined || typeof init === 'object' || typeof init === 'function'

/** fetch reads members wherever they are: a `Request` as `init` has all of its from its prototype. */
export function ownMembers(init: ResilientRequestInit | null | undefined): ResilientRequestInit {
  if (init === undefined || init === null || Object.getPrototypeOf(init) === Object.prototype) return init ?? {}
  const own: Record<string, unknown> = {}
  for (const name in init) own[name] = init[name as keyof ResilientRequestInit]
  return own
}

/** Undefined where fetch itself would refuse the arguments: no attempt, so no business of a policy's. */
export function readCall(input: FetchInput, init: ResilientRequestInit, replayMaxBytes: number): Call | undefined {
  const request = typeof input === 'string' || input instanceof URL ? undefined : input
  try {
    const headers = new Headers(init.headers ?? request?.headers)
    const method = init.method ?? request?.method ?? 'GET'
    const hasBody = init.body !== undefined && init.body !== null
    const streams = !hasBody && request !== undefined && request.body !== null
    if (request?.bodyUsed === true && !hasBody) return undefined
    // Never sent. The body is stood in for, because making a request from a stream or a request uses it up.
    const checked = new Request(request?.url ?? (input as string | URL), {
      ...init,
      method,
      headers,
      signal: null,
      body: hasBody || streams ? '' : null,
    })
    return {
      host: new URL(checked.url).host,
      headers,
      signal: init.signal ?? request?.signal ?? undefined,
      ...methodRules(checked.method),
      replayable: !streams && bytesOf(init.body) <= replayMaxBytes,
      hasHeader: (name) => headers.has(name),
    }
  } catch {
    return undefined
  }
}
