/** Clients may be told to answer with buffers. */
export const text = (reply: unknown): string => (typeof reply === 'string' ? reply : String(reply))

export const array = (reply: unknown): readonly unknown[] => (Array.isArray(reply) ? reply : [])

/** What is stored under a key or name: itself, two fields, and what is left of its time; undefined where nothing is. */
export interface Stored {
  readonly key: string
  readonly one: string
  readonly two: string
  /** Infinite where it has no end. */
  readonly remainingMs: number
}

export function storedOf(reply: unknown): Stored | undefined {
  if (!Array.isArray(reply)) return undefined
  const [key, one, two, pttl] = reply.map(text) as [string, string, string, string]
  return { key, one, two, remainingMs: remainingOf(pttl) }
}

/** Redis rounds down, and what has less than a millisecond left is there still. */
export const remainingOf = (pttl: unknown): number => (Number(pttl) < 0 ? Number.POSITIVE_INFINITY : Math.max(1, Number(pttl)))

/** Whole milliseconds, as Redis counts them. */
export const ttlOf = (ttlMs: number | undefined): string => (ttlMs === undefined ? '' : String(Math.ceil(ttlMs)))
