const SECONDS = /^\d{1,10}$/
/** The three date forms of HTTP begin with a day's name; `Date.parse` alone would take "2" for a month. */
const DATE = /^[A-Za-z]{3,9},? /

/**
 * What a `Retry-After` header asks for, in milliseconds from now: seconds, or a date; 0 for a date that has passed, undefined for neither.
 *
 * Source: RFC 9110, section 10.2.3.
 */
export function retryAfterMs(header: string | null, epochMs: number): number | undefined {
  if (header === null) return undefined
  const text = header.trim()
  if (SECONDS.test(text)) return Number(text) * 1_000
  const atMs = DATE.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - epochMs)
}
