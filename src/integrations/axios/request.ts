import type { Context } from '../../core/context.ts'
import { bytesOf } from '../http-shared/body-bytes.ts'
import { methodRules, type Sent } from '../http-shared/sent.ts'
import type { AxiosConfigSlice, ResilientRequestConfig } from './slice.ts'

/** One request, read once. */
export interface Call extends Sent {
  readonly keys: Readonly<Record<string, string>>
  readonly context: Context | undefined
  /** What the adapter inside is given for one attempt. */
  with(added: Readonly<Record<string, string>>, signal: AbortSignal): AxiosConfigSlice
}

export function readCall(config: AxiosConfigSlice & ResilientRequestConfig, replayMaxBytes: number): Call {
  // The token reaches each attempt as part of its signal.
  const { context, keys, cancelToken, ...plain } = config
  const host = hostOf(plain)
  return {
    ...methodRules((plain.method ?? 'get').toUpperCase()),
    replayable: sizeOf(plain.data) <= replayMaxBytes,
    hasHeader: (name) => headerOf(plain.headers, name) !== undefined,
    keys: host === undefined ? { ...keys } : { host, ...keys },
    context,
    with: (added, signal) => ({ ...plain, headers: withHeaders(plain.headers, added), signal }),
  }
}

/** Reads a header of a plain record or of axios's `AxiosHeaders`, whose headers are its own properties, too. */
export function headerOf(headers: unknown, name: string): string | undefined {
  if (typeof headers !== 'object' || headers === null) return undefined
  for (const [own, value] of Object.entries(headers)) {
    if (own.toLowerCase() === name && value !== undefined && value !== null && value !== false) return String(value)
  }
  return undefined
}

/** A copy for each attempt, because adapters add to what they are given; `concat` makes one of the same class. */
function withHeaders(headers: unknown, added: Readonly<Record<string, string>>): unknown {
  const { concat } = (headers ?? {}) as { concat?: unknown }
  return typeof concat === 'function' ? concat.call(headers, added) : { ...(headers as object | undefined), ...added }
}

function hostOf({ url, baseURL }: AxiosConfigSlice): string | undefined {
  try {
    return new URL(url ?? '', baseURL).host
  } catch {
    return undefined
  }
}

/** A form of axios's may hold a stream, so that none is sent twice. */
function sizeOf(data: unknown): number {
  if (data instanceof FormData) return Number.POSITIVE_INFINITY
  return typeof data === 'object' ? bytesOf(data) : bytesOf(String(data ?? ''))
}
