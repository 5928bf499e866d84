import type { Context, ContextChange, TraceContext } from './context.ts'
import { formatIdempotencyKey, parseIdempotencyKey } from './idempotency-key.ts'
import { formatTraceparent, type Parsed, parseBaggage, parseTraceparent, parseTracestate } from './trace-headers.ts'

/** Where headers are read from: a fetch `Headers`, Node's `IncomingHttpHeaders`, or a plain record in any case. */
export type HeaderSource = { get(name: string): string | null | undefined } | { readonly [name: string]: unknown }

/** Told of each header that was there and did not count, and why; the value is left out, because it may be hostile or secret. */
export type IgnoredHeader = (name: string, reason: string) => void

const NAMES = ['traceparent', 'tracestate', 'baggage', 'idempotency-key', 'holdfast-deadline-ms', 'x-correlation-id'] as const
type Name = (typeof NAMES)[number]
const KNOWN: ReadonlySet<string> = new Set(NAMES)
const isName = (name: string): name is Name => KNOWN.has(name)
type Found = Partial<Record<Name, string>>

/** No header of ours is longer; one that is, is ignored unread. */
const READ_MAX = 16_384

/**
 * Reads what of a context travels in headers. Whatever is malformed, too long or not text is ignored as if it had not been sent, and
 * `ignored` is told; nothing that a peer can send makes this throw.
 *
 * | header | becomes | form |
 * |---|---|---|
 * | `traceparent`, `tracestate` | `trace` | W3C; `tracestate` untouched up to 512 characters, only with a valid `traceparent` |
 * | `baggage` | `trace.baggage` | W3C, untouched up to 8,192 bytes, only with a valid `traceparent` |
 * | `idempotency-key` | `idempotencyKey` | a quoted string or one bare word, 1 to 255 characters |
 * | `holdfast-deadline-ms` | `timeoutMs` | whole milliseconds that remain: clocks need not agree. `with({ timeoutMs })` keeps an earlier deadline |
 * | `x-correlation-id` | `correlationId` | 1 to 255 characters of visible ASCII |
 *
 * Source: W3C Trace Context and Baggage; draft-ietf-httpapi-idempotency-key-header.
 */
export function contextFromHeaders(headers: HeaderSource, ignored: IgnoredHeader = () => {}): ContextChange {
  const found = find(headers, ignored)
  const read = <T>(name: Name, parse: (text: string) => Parsed<T>): T | undefined => {
    const text = found[name]
    if (text === undefined) return undefined
    const parsed = parse(text)
    if ('value' in parsed) return parsed.value
    ignored(name, parsed.wrong)
    return undefined
  }
  const trace = readTrace(found, read, ignored)
  const idempotencyKey = read('idempotency-key', parseIdempotencyKey)
  const timeoutMs = read('holdfast-deadline-ms', parseDeadline)
  const correlationId = read('x-correlation-id', parseCorrelation)
  return {
    ...(trace && { trace }),
    ...(idempotencyKey !== undefined && { idempotencyKey }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(correlationId !== undefined && { correlationId }),
  }
}

/**
 * The headers that carry a context to another process, in the forms `contextFromHeaders` reads; names in lower case. The deadline is
 * what remains of it now, rounded down.
 */
export function headersFromContext(ctx: Context): Record<string, string> {
  const headers: Record<string, string> = { ...traceHeaders(ctx.trace), 'idempotency-key': formatIdempotencyKey(ctx.idempotencyKey) }
  const { remainingMs, correlationId } = ctx
  if (remainingMs !== Number.POSITIVE_INFINITY) headers['holdfast-deadline-ms'] = String(Math.floor(Math.min(remainingMs, DEADLINE_MAX_MS)))
  if (correlationId !== undefined && CORRELATION.test(correlationId)) headers['x-correlation-id'] = correlationId
  return headers
}

type Read = <T>(name: Name, parse: (text: string) => Parsed<T>) => T | undefined

function readTrace(found: Found, read: Read, ignored: IgnoredHeader): TraceContext | undefined {
  const parent = read('traceparent', parseTraceparent)
  if (parent === undefined) {
    for (const name of ['tracestate', 'baggage'] as const) if (found[name]) ignored(name, 'without a valid traceparent')
    return undefined
  }
  const state = read('tracestate', parseTracestate)
  const baggage = read('baggage', parseBaggage)
  return { ...parent, ...(state && { state }), ...(baggage && { baggage }) }
}

function traceHeaders(trace: TraceContext | undefined): Record<string, string> {
  const traceparent = trace && formatTraceparent(trace)
  if (trace === undefined || traceparent === undefined) return {}
  const { state, baggage } = trace
  return {
    traceparent,
    ...(state && 'value' in parseTracestate(state) && { tracestate: state }),
    ...(baggage && 'value' in parseBaggage(baggage) && { baggage }),
  }
}

/** 999,999,999,999,999 ms are 31,000 years. */
const DEADLINE = /^\d{1,15}$/
const DEADLINE_MAX_MS = 999_999_999_999_999
const CORRELATION = /^[\x21-\x7e]{1,255}$/

const parseDeadline = (text: string): Parsed<number> =>
  DEADLINE.test(text) ? { value: Number(text) } : { wrong: 'not whole milliseconds of at most 15 digits' }

const parseCorrelation = (text: string): Parsed<string> =>
  CORRELATION.test(text) ? { value: text } : { wrong: 'not 1 to 255 characters of visible ASCII' }

function find(headers: HeaderSource, ignored: IgnoredHeader): Found {
  const found: Found = {}
  const take = (name: Name, value: unknown): void => {
    if (value === undefined || value === null) return
    // Node gives repeated headers as an array or joined by commas; joining them lets the parser decide whether a list is allowed.
    const text = Array.isArray(value) && value.every((part) => typeof part === 'string') ? value.join(',') : value
    if (typeof text !== 'string') ignored(name, 'not text')
    else if (text.length > READ_MAX) ignored(name, `longer than ${READ_MAX} characters`)
    else found[name] = text.trim()
  }
  if (typeof headers !== 'object' || headers === null) return found
  if (typeof headers.get === 'function') {
    for (const name of NAMES) take(name, headers.get(name))
    return found
  }
  for (const [key, value] of Object.entries(headers)) {
    const name = key.toLowerCase()
    if (isName(name)) take(name, value)
  }
  return found
}
