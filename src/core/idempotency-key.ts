import { createHash } from 'node:crypto'
import type { Parsed } from './trace-headers.ts'

const MAX = 255
/** Travels without quotes: visible ASCII but for what means something in a structured field or separates two headers joined into one. */
const BARE = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+$/
const QUOTED = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"[ \t]*(?:;.*)?$/
const PRINTABLE = /^[\x20-\x7e]+$/

/** Reads an `Idempotency-Key`: a structured-field string (parameters are dropped) or, as most clients send it, the bare key. */
export function parseIdempotencyKey(text: string): Parsed<string> {
  const quoted = QUOTED.exec(text)?.[1]
  const key = quoted === undefined ? text : quoted.replace(/\\(["\\])/g, '$1')
  if (quoted === undefined && !BARE.test(text)) return { wrong: 'neither a quoted string nor one word of visible ASCII' }
  if (key.length === 0 || key.length > MAX) return { wrong: `not 1 to ${MAX} characters` }
  return { value: key }
}

/**
 * The header for a key: bare where that is unambiguous, else as a quoted string. A key that cannot travel (not ASCII, empty, over 255
 * characters) goes as the SHA-256 of its UTF-8 bytes in hex: leaving it out would let a repeated effect happen twice.
 */
export function formatIdempotencyKey(key: string): string {
  if (key.length > MAX || !PRINTABLE.test(key)) return createHash('sha256').update(key).digest('hex')
  return BARE.test(key) ? key : `"${key.replace(/["\\]/g, '\\$&')}"`
}
