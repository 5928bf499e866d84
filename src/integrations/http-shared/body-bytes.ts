/** Above it a body is sent once, where nobody says otherwise. */
export const REPLAY_MAX_BYTES = 1_048_576

/** Bytes of a body that is in memory and can be sent again as it is, parts of a form without what stands between them; infinite for what can be read but once. */
export function bytesOf(body: unknown): number {
  if (body === undefined || body === null) return 0
  if (typeof body === 'string') return Buffer.byteLength(body)
  if (ArrayBuffer.isView(body) || body instanceof ArrayBuffer) return body.byteLength
  if (body instanceof URLSearchParams) return body.toString().length
  if (body instanceof Blob) return body.size
  if (body instanceof FormData) return [...body].reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + bytesOf(value), 0)
  return Number.POSITIVE_INFINITY
}
