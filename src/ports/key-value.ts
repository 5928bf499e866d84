/** One kept value. Times are the engine's: no clock of the caller takes part. */
export interface KeyEntry {
  readonly key: string
  readonly value: string
  /** Changes with every write of the key, and never returns to a former number, also not after a deletion. */
  readonly revision: number
  /** How much longer it is kept, in milliseconds; absent: until it is deleted. */
  readonly remainingMs?: number
}

export interface PutOptions {
  /** `'any'` (default) always writes; `'none'` only where there is no such key; a revision only where that is the current one. */
  readonly expect?: 'any' | 'none' | number
  /** For how long it is kept, in milliseconds, from 1; absent: until it is deleted, also where it had an end before. */
  readonly ttlMs?: number
  readonly signal?: AbortSignal
}

/** `entry`: what stands there instead; absent where nothing does. */
export type PutVerdict = { readonly ok: true; readonly revision: number } | { readonly ok: false; readonly entry?: KeyEntry }

export interface KeyFilter {
  /** Only keys that begin with it; default `''`: all. */
  readonly prefix?: string
  /** At most this many, 1 to 1,000; default 100. */
  readonly limit?: number
  /** Only keys that sort after this one: pass the last key of the page before. */
  readonly afterKey?: string
  readonly signal?: AbortSignal
}

/** The current state of a key that has changed; `entry` is absent where it is gone. */
export interface KeyChange {
  readonly key: string
  readonly entry?: KeyEntry
}

/**
 * Keeps small texts by key. Promises, each a case of the contract kit:
 *
 * 1. `get` answers what the latest `put` or `increment` left there, whichever process it came from; undefined where nothing is or its time is over.
 * 2. `put` compares and writes in one step: of N racers with the same expectation exactly one is answered `ok`, the others get the entry
 *    that stands there.
 * 3. A revision is a whole number above 0 that changes with every write of its key and never comes back, also not after a deletion or an end
 *    of its time: who compares with an old revision never overwrites a newer value.
 * 4. `ttlMs` counts by the engine's clock, one for all processes. A key whose time is over is gone for every method; a `put` or an `increment`
 *    begins anew there.
 * 5. `increment` adds in one step, and creates the key with `ttlMs` where it is missing; on a key that is there it leaves the time as it is.
 *    The value is that number as a decimal text. A key that holds no whole number is refused with `INVALID_INPUT`, unchanged.
 * 6. `delete` answers whether it deleted; with a revision it deletes only that one.
 * 7. `list` orders keys by code point (the order of the UTF-8 bytes) and pages with `afterKey`; what is there all the while is listed once.
 * 8. `watch` yields the current state of each key that has changed since it was called, perhaps several changes as one, never an older state
 *    after a newer one; keys whose time is over are reported as gone, within a second of it. It ends with the signal, or `break`; closing
 *    ends it with `NOT_STARTED`, and a reader that falls 100,000 changed keys behind is ended with `QUEUE_FULL`.
 * 9. Keys are 1 to 512 bytes of UTF-8, values at most `valueMaxBytes` (1 MiB unless the adapter says otherwise); both are kept byte for
 *    byte, NUL and astral characters included. Anything else is refused with `INVALID_INPUT` (a lone surrogate: `NOT_JSON`; a filter's
 *    limit: `INVALID_OPTIONS`), effect none.
 * 10. What was never opened, or was closed, answers `NOT_STARTED`. An engine that does not answer: `STORAGE_UNAVAILABLE`, effect none where
 *    nothing can have been written, unknown otherwise. Every method but `close` leaves at once when its signal aborts (`ABORTED`, likewise).
 */
export interface KeyValue {
  open(signal?: AbortSignal): Promise<void>
  get(key: string, signal?: AbortSignal): Promise<KeyEntry | undefined>
  put(key: string, value: string, options?: PutOptions): Promise<PutVerdict>
  increment(
    key: string,
    by: number,
    options?: { readonly ttlMs?: number; readonly signal?: AbortSignal },
  ): Promise<{ readonly value: number; readonly remainingMs?: number }>
  delete(key: string, options?: { readonly revision?: number; readonly signal?: AbortSignal }): Promise<boolean>
  list(filter?: KeyFilter): Promise<readonly KeyEntry[]>
  watch(prefix: string, signal?: AbortSignal): AsyncIterable<KeyChange>
  close(): Promise<void>
}
