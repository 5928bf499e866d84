import type { Context } from '../../core/context.ts'
import { methodRules, type Sent } from '../http-shared/sent.ts'
import type { UndiciRequest } from './slice.ts'

/** What a request may carry besides undici's own options. */
export interface ResilientDispatchOptions {
  /** The context to call under; without it the ambient one, or a fresh one. */
  readonly context?: Context
  /** For keyed policies; `host` is filled in from the origin. */
  readonly keys?: Readonly<Record<string, string>>
}

/** One request, read once. */
export interface Call extends Sent {
  readonly keys: Readonly<Record<string, string>>
  readonly context: Context | undefined
  /** What undici is given, with more headers. */
  with(added: Readonly<Record<string, string>>): UndiciRequest
}

export function readCall(request: UndiciRequest & ResilientDispatchOptions, replayMaxBytes: number): Call {
  const { context, keys, ...plain } = request
  const pairs = pairsOf(plain.headers)
  const names = new Set(pairs.map(([name]) => String(name).toLowerCase()))
  const host = hostOf(plain.origin)
  return {
    ...methodRules(plain.method),
    replayable: sizeOf(plain.body) <= replayMaxBytes,
    hasHeader: (name) => names.has(name),
    keys: host === undefined ? { ...keys } : { host, ...keys },
    context,
    with(added) {
      const more = Object.entries(added)
      return more.length === 0 ? plain : { ...plain, headers: merged(plain.headers, pairs, more) }
    },
  }
}

type Pair = readonly [name: unknown, value: unknown]

/** undici takes a record, a flat list of names and values, or anything that iterates over pairs. */
function pairsOf(headers: unknown): Pair[] {
  if (typeof headers !== 'object' || headers === null) return []
  if (Array.isArray(headers)) return headers.flatMap((name, i) => (i % 2 === 0 ? [[name, headers[i + 1]] as const] : []))
  if (Symbol.iterator in headers) return [...(headers as Iterable<Pair>)]
  return Object.entries(headers)
}

/** A record stays one, because interceptors further in may know nothing else. */
function merged(headers: unknown, pairs: readonly Pair[], more: ReadonlyArray<readonly [string, string]>): unknown {
  const isRecord = typeof headers === 'object' && headers !== null && !Array.isArray(headers) && !(Symbol.iterator in headers)
  if (isRecord || pairs.length === 0) return { ...(isRecord ? headers : {}), ...Object.fromEntries(more) }
  return [...pairs, ...more].flat(1)
}

function hostOf(origin: string | URL | undefined): string | undefined {
  if (origin === undefined) return undefined
  try {
    return new URL(origin).host
  } catch {
    return undefined
  }
}

/** Bytes of a body that can be sent again as it is; infinite for what can be read but once. */
function sizeOf(body: unknown): number {
  if (body === undefined || body === null) return 0
  if (typeof body === 'string') return Buffer.byteLength(body)
  return ArrayBuffer.isView(body) || body instanceof ArrayBuffer ? body.byteLength : Number.POSITIVE_INFINITY
}
