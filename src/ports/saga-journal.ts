/** Where a saga stands. `done`, `undone` are ends; `stuck` waits for an operator. */
export type SagaState = 'running' | 'undoing' | 'stuck' | 'done' | 'undone'

/** One journal record. The engine gives `data` its meaning; the journal keeps it as it is. */
export interface SagaRecord {
  /** 1, 2, 3 … without a gap inside one saga. */
  readonly seq: number
  /** What happened: `started`, `intent`, `result`, … */
  readonly kind: string
  /** The step it belongs to, or null. */
  readonly step: string | null
  /** Wall-clock milliseconds since 1970 at the writer; the head's `startedEpochMs` and `updatedEpochMs` are those of its first and last record. */
  readonly atEpochMs: number
  /** JSON text. */
  readonly data: string
}

/** What the journal knows of a saga without reading its records. */
export interface SagaHead {
  readonly id: string
  /** The definition's name. */
  readonly saga: string
  readonly version: number
  /** The structural hash of the definition the saga was started with. */
  readonly definitionHash: string
  /** The hash of the saga's input: the same id with another input is refused. */
  readonly inputHash: string
  readonly shard: number
  readonly state: SagaState
  /** The `seq` of the last record. */
  readonly seq: number
  readonly startedEpochMs: number
  readonly updatedEpochMs: number
}

/** Proof of ownership: a write with an epoch that is not the shard's latest writes nothing. */
export interface SagaFence {
  readonly shard: number
  readonly epoch: number
}

/** One saga's part of a batch: its records are written together or not at all. */
export interface SagaWrite {
  readonly id: string
  /** At least one, consecutive; the first one's `seq` is the stored last `seq` + 1 (1 where `create` is given). */
  readonly records: readonly SagaRecord[]
  /** The state after these records. */
  readonly state: SagaState
  /** Present exactly on the write that creates the saga. */
  readonly create?: Pick<SagaHead, 'saga' | 'version' | 'definitionHash' | 'inputHash' | 'shard'>
  /** Required on every write but a creation, which any process may do. */
  readonly fence?: SagaFence
}

export type SagaVerdict =
  | { readonly ok: true }
  /** `exists`: the id is taken, by `head`. `fenced`: another owner has the shard. `conflict`: the stored `seq` is not the expected one. */
  | { readonly ok: false; readonly reason: 'exists'; readonly head: SagaHead }
  | { readonly ok: false; readonly reason: 'fenced' | 'conflict' }

/** A shard held by this process until its lease runs out, unless renewed. */
export interface SagaClaim {
  readonly fence: SagaFence
  /** How much longer the lease lasts, in milliseconds, measured from before the claim was asked for. */
  readonly leaseMs: number
}

export interface SagaFilter {
  readonly saga?: string
  readonly states?: readonly SagaState[]
  readonly shard?: number
  /** At most this many, 1 to 10,000; default 100. */
  readonly limit?: number
  /** Only heads whose id sorts after this one: pass the last id of the page before. */
  readonly afterId?: string
}

/**
 * Keeps the journals of sagas. Promises, each a case of the contract kit:
 *
 * 1. `append` answers each write on its own, in order, as if they had come one after the other; a refused write never harms its neighbours.
 * 2. When `append` resolves, every write answered `ok` is durable as the engine's commit setting says, and visible to every reader.
 * 3. A write is atomic: its records, the head's state and `seq` change together or not at all.
 * 4. A creation of an id that exists answers `exists` with the stored head, also when two race in one batch or in two processes, and
 *    whatever its fence or records.
 * 5. A write whose records do not continue the stored `seq` one by one (or that has none) answers `conflict`; a write to an id that does
 *    not exist answers `conflict`.
 * 6. A write with a fence whose epoch is not the shard's latest, or whose shard is not the saga's, answers `fenced` and writes nothing,
 *    checked inside the same transaction as the insert, and before the `seq` is. So does one without a fence that is no creation.
 * 7. `claim` gives a shard to one owner at a time: it succeeds when the shard is free, its lease has run out, the owner itself holds
 *    it, or the holder is known to be dead. Each change of owner raises the epoch by at least 1; a renewal keeps it. A shard taken again
 *    after `release` has changed its owner.
 * 8. What was written under earlier epochs is visible to `list` and `read` once `claim` has resolved.
 * 9. `release` frees a shard at once, and only for its holder.
 * 10. `list` orders by id (by code point, which is the order of the UTF-8 bytes) and pages with `afterId`; `read` returns records by `seq`,
 *     or an empty list for an id that does not exist. A limit outside its range is refused with `INVALID_OPTIONS`.
 * 11. A store that is not ours, is corrupt, or is from a newer version refuses at `open` with `STORAGE_CORRUPT` and changes nothing; one
 *     that stays locked refuses with `STORAGE_LOCKED` (effect none, retry later); what was never opened, or was closed, answers `NOT_STARTED`.
 * 12. Ids and data are any well-formed text, bytes kept exactly (NUL and astral characters included); lone surrogates are refused
 *     with `NOT_JSON` before anything of the batch is written.
 * 13. Every method but `close` leaves at once when `signal` aborts, with `ABORTED`: effect none, or, for an `append` of which the journal
 *     cannot know that nothing was written, unknown.
 */
export interface SagaJournal {
  /** Makes the store ready, migrating it where the engine may do so by itself. Idempotent. */
  open(signal?: AbortSignal): Promise<void>
  append(writes: readonly SagaWrite[], signal?: AbortSignal): Promise<readonly SagaVerdict[]>
  /** Claims or renews the shards 0 … `shards`-1 as far as they can be had, for `leaseMs`. `owner` names this process, once. */
  claim(
    owner: string,
    options: { readonly shards: number; readonly leaseMs: number; readonly signal?: AbortSignal },
  ): Promise<readonly SagaClaim[]>
  release(owner: string, signal?: AbortSignal): Promise<void>
  head(id: string, signal?: AbortSignal): Promise<SagaHead | undefined>
  read(id: string, signal?: AbortSignal): Promise<readonly SagaRecord[]>
  list(filter: SagaFilter, signal?: AbortSignal): Promise<readonly SagaHead[]>
  /** Finishes what is in flight and closes what it opened itself, never a handle of the user's. Idempotent. */
  close(): Promise<void>
}
