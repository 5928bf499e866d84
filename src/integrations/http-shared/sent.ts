/** What the rules of repeating ask of a request. */
export interface Sent {
  /** The method promises that twice is like once. */
  readonly idempotent: boolean
  /** The method changes nothing. */
  readonly safe: boolean
  /** The same body can be sent again: it is no stream. */
  readonly replayable: boolean
  /** Whether the caller has set this header (lower case). */
  hasHeader(name: string): boolean
}

/** RFC 9110, section 9.2.2. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

/** What RFC 9110 says of a method, given in capitals. */
export const methodRules = (method: string): { readonly idempotent: boolean; readonly safe: boolean } => ({
  idempotent: IDEMPOTENT.has(method),
  safe: SAFE.has(method),
})
