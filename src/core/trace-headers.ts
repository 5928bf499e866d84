import type { TraceContext } from './context.ts'

/** What came in, or why it does not count. */
export type Parsed<T> = { readonly value: T } | { readonly wrong: string }

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
/** What may stand in a header: visible ASCII, spaces, tabs. Anything else could not be sent on, or would split the header. */
const SENDABLE = /^[\t\x20-\x7e]*$/
const STATE_MAX = 512
const BAGGAGE_MAX = 8_192
/** Bits 0 (sampled) and 1 (random trace id) are defined; the rest is sent as zero. */
const KNOWN_FLAGS = 0x03

/**
 * Reads a `traceparent`: version 00 exactly, a higher version by its first four fields, version ff and all-zero ids never.
 *
 * Source: W3C Trace Context, level 1 (section 3.2) and level 2.
 */
export function parseTraceparent(text: string): Parsed<Pick<TraceContext, 'traceId' | 'spanId' | 'flags'>> {
  const [, version, traceId = '', spanId = '', flags = '', rest] = TRACEPARENT.exec(text) ?? []
  if (version === undefined) return { wrong: 'not version-traceid-spanid-flags in lower-case hex' }
  if (version === 'ff') return { wrong: 'version ff is forbidden' }
  if (version === '00' && rest !== undefined) return { wrong: 'version 00 has four fields' }
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return { wrong: 'an id of zeros is none' }
  return { value: { traceId, spanId, flags: Number.parseInt(flags, 16) } }
}

/** The header for a trace context; undefined where its parts, set by hand, make none. */
export function formatTraceparent({ traceId, spanId, flags }: TraceContext): string | undefined {
  const text = `00-${traceId}-${spanId}-${(flags & KNOWN_FLAGS).toString(16).padStart(2, '0')}`
  return 'value' in parseTraceparent(text) ? text : undefined
}

const parseText =
  (max: number) =>
  (text: string): Parsed<string> => {
    if (text.length > max) return { wrong: `longer than ${max} characters` }
    return SENDABLE.test(text) ? { value: text } : { wrong: 'not ASCII' }
  }

/** `tracestate`, untouched, up to 512 characters: beyond that none of it counts. */
export const parseTracestate = parseText(STATE_MAX)

/** `baggage`, untouched, up to 8,192 bytes. */
export const parseBaggage = parseText(BAGGAGE_MAX)
