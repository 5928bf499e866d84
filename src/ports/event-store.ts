import type { HoldfastError } from '../core/errors.ts'
import type { Pool, PoolIsNoTransaction, PoolOnly } from './transactions.ts'

/** An event to be written. Everything in it is JSON. */
export interface NewEvent {
  /** What happened, 1 to 200 characters. */
  readonly type: string
  /** Any JSON value; what JSON would change is refused (`NOT_JSON`). */
  readonly data: unknown
  /** A JSON object: correlation, causation, trace, actor, …; default `{}`. */
  readonly metadata?: Readonly<Record<string, unknown>>
  /** What conditions and reads may select it by, at most 32, each 1 to 200 characters; default none. */
  readonly tags?: readonly string[]
  /** Names this event in the world; default: a UUID version 7. Not checked for being unique. */
  readonly id?: string
}

/** An event as it is kept. */
export interface StoredEvent {
  readonly id: string
  readonly stream: string
  /** 1, 2, 3 … without a gap inside its stream. */
  readonly version: number
  /** Its place in the log; undefined for a joined event whose transaction has committed and which has no place yet. */
  readonly position: bigint | undefined
  readonly tenant: string
  readonly type: string
  readonly data: unknown
  readonly metadata: Readonly<Record<string, unknown>>
  readonly tags: readonly string[]
  /** When it was written, by the engine's clock (memory, SQLite: the process's), in wall-clock milliseconds since 1970. */
  readonly recordedEpochMs: number
}

/**
 * `none`: no such stream; `exists`: at least one event was ever written to it; `any`: whatever there is; a number: exactly that version (0 is
 * `none`). What was truncated counts as written.
 */
export type Expectation = 'none' | 'exists' | 'any' | number

export interface StreamWrite {
  /** 1 to 512 bytes of UTF-8, without NUL. */
  readonly stream: string
  readonly expect: Expectation
  /** None: the stream is only checked. */
  readonly events: readonly NewEvent[]
}

/** Which events: those that have all of the tags and one of the types. */
export interface EventQuery {
  readonly types?: readonly string[]
  readonly tags?: readonly string[]
}

/** Holds while no event that matches any of the queries has come after that position: a dynamic consistency boundary. */
export interface AppendCondition {
  /** 1 to 32; each names at least one tag. Or every event of the tenant. */
  readonly queries: readonly EventQuery[] | 'whole-log'
  /** Up to where the writer has read; 0n: nothing. */
  readonly after: bigint
}

/** What is written together or not at all. */
export interface AppendRequest {
  /** 1 to 64 streams, each once. */
  readonly writes: readonly StreamWrite[]
  readonly condition?: AppendCondition
  /** Repeats the first answer for as long as keys are kept; 1 to 200 characters. The same key with another request: `KEY_REUSED`. */
  readonly idempotencyKey?: string
  /** Default `''`. Streams, tags and keys of one tenant do not exist for another. */
  readonly tenant?: string
}

export interface AppendReceipt {
  /** The version that each write left its stream at, in the order of the writes. */
  readonly versions: readonly number[]
  /** The place of the last event written; of the log's head where nothing was. Undefined: joined, its place comes after the commit. */
  readonly position: bigint | undefined
  /** Names this write in this incarnation of the log: what `waitFor` takes, in any process. */
  readonly token: string
}

export type AppendVerdict =
  | ({ readonly result: 'ok' } & AppendReceipt)
  | {
      readonly result: 'conflict'
      readonly reason: 'stream' | 'condition'
      /** Of the stream whose expectation does not hold. */
      readonly stream?: string
      /** Its version now; 0: there is none. */
      readonly actual?: number
      /** What the writer has not seen, in order, at most 100: the stream's events after the expected version, or those that match. */
      readonly missed: readonly StoredEvent[]
      /** Whether there are more. */
      readonly truncated: boolean
    }
  /** This key has been answered before. */
  | { readonly result: 'duplicate'; readonly original: AppendReceipt }
  /** `none`: certainly not written, for a reason that is nobody's conflict. `unknown`: perhaps; ask again with the same key. */
  | { readonly result: 'none' | 'unknown'; readonly error: HoldfastError }

/** A list of requests whose length is known where it is written down. */
export type AppendRequests<Each extends readonly unknown[]> = { readonly [K in keyof Each]: AppendRequest }
/** A verdict for each, in its place. */
export type AppendVerdicts<Each extends readonly unknown[]> = { readonly [K in keyof Each]: AppendVerdict }

export interface AppendOptions {
  readonly signal?: AbortSignal
  /** How long a request may take that others hold up, in milliseconds, 1 to 600,000; default 5,000. */
  readonly timeoutMs?: number
}

export interface StreamRead {
  readonly tenant?: string
  /** The first version that is given; default 1 (backwards: the last one). */
  readonly fromVersion?: number
  /** The last version that is given; default: the last there is. */
  readonly toVersion?: number
  readonly backwards?: boolean
  /** How many events a batch may have, 1 to 10,000; default 1,000. */
  readonly batch?: number
  readonly signal?: AbortSignal
}

export interface LogRead extends EventQuery {
  /** Only events after this position; default 0n: from the beginning. */
  readonly after?: bigint
  /** The incarnation that `after` is of, where the reader keeps one: a log that is another one answers `LOG_RESET`. */
  readonly incarnation?: string
  /** Default `''`; `'*'`: of all tenants. */
  readonly tenant?: string
  readonly batch?: number
  readonly signal?: AbortSignal
}

export interface LogBatch {
  readonly events: readonly StoredEvent[]
  /** Everything up to here has been looked at: where the next read goes on, also when the last events did not match. */
  readonly scannedTo: bigint
  readonly incarnation: string
}

export interface LogHead {
  readonly position: bigint
  /** Changes when positions may have been given twice: another database, a restored one. */
  readonly incarnation: string
}

export interface EventStoreStats {
  /** Requests that wait to be written, and how long the oldest has waited. */
  readonly waiting: number
  readonly oldestWaitMs: number
  readonly batches: number
  /** Also those that were joined, which travel in no batch; they and their events count whatever becomes of their transactions. */
  readonly requests: number
  readonly events: number
  readonly conflicts: number
  readonly unknown: number
  /** Requests per batch, of the last thousand batches. */
  readonly batchSizeMean: number
  readonly batchSizeMax: number
  /** Joined events that are committed and have no position yet. */
  readonly pendingJoined: number
  /** How old the oldest snapshot of the database is, where the engine has such a thing. */
  readonly oldestSnapshotMs?: number
}

/**
 * Keeps events in streams, and all streams in one log. Promises, each with cases in the contract kit:
 *
 * 1. `append` answers each request on its own, in order; one that loses, or is unfit, never harms its neighbours. A malformed request is answered
 *    `none` (`INVALID_INPUT`, `NOT_JSON`, `TOO_LARGE`); the call itself rejects only for unfit options (`INVALID_INPUT`). A key that is known is
 *    answered before anything else is looked at, a closed stream before an expectation, expectations before the condition. Requests of one process that share a stream, a tag or a key are decided in the order in
 *    which they were handed in.
 * 2. An expectation is enforced by the engine: of N racers, in whatever processes, exactly one wins; `'any'` never conflicts. `missed` is what
 *    the loser has not seen, at most 100 events, else `truncated`.
 * 3. Positions are one gapless, commit-ordered bigint per log, from 1. Who has read up to p never later finds a new event at or below p, within
 *    one incarnation. Per stream, positions rise with versions; an append that begins after another was answered is after it in the log. No
 *    other transaction of the database makes a reader skip or wait.
 * 4. An `idempotencyKey` repeats the first `ok` (as `duplicate`), committed with the events, for as long as keys are kept (`keysKeptDays`). A
 *    conflict is not kept. The same key with another content is answered `none` with `KEY_REUSED`.
 * 5. All writes of a request happen or none; a condition lets exactly one of N overlapping racers through, and requests with disjoint tags never
 *    wait for each other. A joined event that is not committed yet holds up who asks for its stream, tags or key, nobody else (in SQLite every
 *    write, with `STORAGE_LOCKED` where others say `STREAM_BUSY`: an open write transaction locks the file).
 * 6. `join(tx)` writes inside the user's open transaction: the events commit or vanish with it and get their position right after the commit,
 *    before anything that is appended later. A conflict is a value there too (except where the user's isolation level makes it the engine's error).
 *    `readStream`, expectations and conditions see committed ones at once (`position` undefined), `readAll` once they have a place. `waitFor`
 *    resolves then; a token of what was rolled back ends with `WAIT_TIMEOUT`. What is no open transaction is answered `none` with `TX_NOT_OPEN`, a
 *    joined condition on the whole log, which would hold up everybody, `none` with `INVALID_INPUT`.
 * 7. A connection that dies while a batch is on its way is settled with the engine before anything is answered; only where that fails in time the
 *    verdict is `unknown`. Asking again with the same key is safe.
 * 8. Reads are async iterables of batches of at most `batch` events; types, tags and tenant are filtered in the engine. `readAll` ends at the head as
 *    it was found; `subscribe` goes on until the signal or `break`; an engine that is
 *    lost ends either with its error, and the reader goes on after the last `scannedTo`. Each batch but an empty first one moves `scannedTo` on.
 * 9. `truncate` removes a stream's events below a version; `archive` closes a stream: it is read only by `readStream`, no longer by `readAll`;
 *    `tombstone` removes all its events. What is closed refuses every append (`none` with `STREAM_ARCHIVED` or `STREAM_TOMBSTONED`), for good, also a
 *    name that was never used. Positions of what is gone stay taken. Closing again changes nothing; what is archived may be tombstoned, not the
 *    other way round (`STREAM_TOMBSTONED`). All three wait for an open transaction that holds the stream, up to 5,000 ms (`STREAM_BUSY`).
 * 10. A reader or token of another incarnation, or past the head, is answered `LOG_RESET`; a condition from past the head `none` with it.
 * 11. Not open: `NOT_STARTED`. Each wait ends with its signal (`ABORTED`) and its bound (`STREAM_BUSY`, `WAIT_TIMEOUT`); an abort that comes before
 *    a request is on its way has effect none. `append` gives these as verdicts, a subscription ends quietly with its signal, all else rejects.
 */
export interface EventStore {
  open(signal?: AbortSignal): Promise<void>
  append<Each extends readonly unknown[] | []>(requests: AppendRequests<Each>, options?: AppendOptions): Promise<AppendVerdicts<Each>>
  /** A pool is no transaction. */
  join<P extends Pool>(pool: PoolOnly<P>): PoolIsNoTransaction
  /** Appends inside a transaction that the user has open. */
  join(tx: unknown): JoinedEvents
  /** No such stream, or only removed events: no batch. */
  readStream(stream: string, options?: StreamRead): AsyncIterable<readonly StoredEvent[]>
  readAll(options?: LogRead): AsyncIterable<LogBatch>
  subscribe(options?: LogRead): AsyncIterable<LogBatch>
  head(signal?: AbortSignal): Promise<LogHead>
  /** Resolves to the write's position once everything up to it can be read; `WAIT_TIMEOUT` after `timeoutMs` (default 5,000). */
  waitFor(token: string, options?: AppendOptions): Promise<bigint>
  truncate(
    stream: string,
    options: { readonly beforeVersion: number; readonly tenant?: string; readonly signal?: AbortSignal },
  ): Promise<void>
  archive(stream: string, options?: { readonly tenant?: string; readonly signal?: AbortSignal }): Promise<void>
  tombstone(stream: string, options?: { readonly tenant?: string; readonly signal?: AbortSignal }): Promise<void>
  stats(): Promise<EventStoreStats>
  /** Answers or settles what is in flight, and closes what it opened itself. */
  close(): Promise<void>
}

/** Appends inside a transaction; one request at a time. */
export interface JoinedEvents {
  append(request: AppendRequest, options?: AppendOptions): Promise<AppendVerdict>
}
