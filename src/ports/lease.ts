/** A name held by one owner for a while. */
export interface LeaseGrant {
  readonly name: string
  readonly owner: string
  /** The fencing token: higher with each change of owner, never lower. Whoever writes under the lease sends it along. */
  readonly token: number
  /** How much longer it lasts, in milliseconds, measured from before it was asked for. */
  readonly remainingMs: number
}

/**
 * Names that one owner at a time may hold. Promises, each a case of the contract kit:
 *
 * 1. `acquire` gives a name to one owner at a time: it succeeds when the name is free, its time is over, or the owner itself holds it (then
 *    it renews and keeps the token). Of N who ask at once exactly one is given it.
 * 2. A token is a whole number above 0; each change of owner raises it by at least 1, also after a release or an end of the time. It never falls.
 * 3. `renew` prolongs what is still held under that very token, from now on; undefined: it is lost, nothing was changed. Time that is over is
 *    lost even where nobody else has taken the name.
 * 4. `release` frees the name at once, and only for its holder under that token; false: it was not held.
 * 5. Time is the engine's clock: how the clocks of the owners differ plays no part.
 * 6. `holder` and `list` tell who holds a name now, by name in the order of code points; what has run out is not listed.
 * 7. Names and owners are 1 to 512 bytes of UTF-8, as the keys of `KeyValue`; `ttlMs` is 1 to 86,400,000 (a day). Anything else: `INVALID_INPUT`.
 * 8. Not open: `NOT_STARTED`. No answer: `STORAGE_UNAVAILABLE` (effect unknown where it may have been granted: it then runs out by itself).
 *    Every method but `close` leaves at once when its signal aborts: `ABORTED`.
 *
 * A lease alone never makes a write safe: a paused owner wakes up without noticing. The token does, where the write checks it.
 */
export interface Lease {
  open(signal?: AbortSignal): Promise<void>
  acquire(name: string, owner: string, options: { readonly ttlMs: number; readonly signal?: AbortSignal }): Promise<LeaseGrant | undefined>
  renew(grant: LeaseGrant, options: { readonly ttlMs: number; readonly signal?: AbortSignal }): Promise<LeaseGrant | undefined>
  release(grant: LeaseGrant, signal?: AbortSignal): Promise<boolean>
  holder(name: string, signal?: AbortSignal): Promise<LeaseGrant | undefined>
  list(filter?: {
    readonly prefix?: string
    readonly limit?: number
    readonly afterName?: string
    readonly signal?: AbortSignal
  }): Promise<readonly LeaseGrant[]>
  close(): Promise<void>
}
