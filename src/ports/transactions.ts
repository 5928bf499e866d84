/** What transactions are opened of: a pool of pg, an `sql` of postgres.js, a database of Drizzle, a Kysely, a Prisma client. */
export type Pool =
  | { readonly totalCount: number; readonly waitingCount: number }
  | { readonly begin: (...args: never[]) => unknown }
  | { readonly $client: unknown }
  | { readonly $connect: (...args: never[]) => unknown }
  | { readonly isTransaction: boolean; readonly selectFrom: (...args: never[]) => unknown }

/** `P`, but for `any`, and Kysely's transactions, which are Kyselys. */
export type PoolOnly<P> = 0 extends 1 & P ? never : P extends { readonly isTransaction: true } ? never : P

/** What the compiler says to a pool where an open transaction is due: it has nothing to go on with. At run time: `TX_NOT_OPEN`. */
export interface PoolIsNoTransaction extends Readonly<Record<never, never>> {}

/**
 * Opens transactions of the user's own client and says what they are. Promises, each with cases in the contract kit but 2 and 5:
 *
 * 1. `run` begins a transaction, calls `fn` with what the user's client calls one (a pg client, a Drizzle or Kysely transaction, a handle),
 *    commits when it resolves and rolls back when it rejects; it answers what `fn` did, and rejects with what `fn` threw.
 * 2. A commit whose answer was lost rejects with effect unknown; every other failure has effect none: all was rolled back.
 * 3. An abort of `signal` while `fn` runs rolls back (`ABORTED`, effect none).
 * 4. Whatever transaction is open can be handed to a port as `tx`: the port's writes commit or vanish with it. A pool, a client without an open
 *    transaction or one that is over is refused with `TX_NOT_OPEN` (effect none), nothing written.
 * 5. In SQLite a transaction has to be `BEGIN IMMEDIATE`; a deferred one that has read is refused by the engine (`STORAGE_LOCKED`).
 */
export interface Transactions<Tx> {
  /** `postgres`, `sqlite`: the engine that the transactions are of. */
  readonly engine: string
  run<T>(fn: (tx: Tx) => Promise<T>, options?: { readonly signal?: AbortSignal }): Promise<T>
  /** The type of a transaction; there is no such property. */
  readonly '~tx'?: Tx
}
