import type { Pool, PoolIsNoTransaction, PoolOnly } from './transactions.ts'

/** How far a reader of a log has come. */
export interface Checkpoint {
  readonly name: string
  /** The last position that was dealt with; 0n: none. */
  readonly position: bigint
  /** The incarnation of the log that the position is of. */
  readonly incarnation: string
  /** The fencing token it was written under. */
  readonly token: number
  readonly updatedEpochMs: number
}

/**
 * `fenced`: a higher token has written. `moved`: the stored position is not the expected one. Nothing was changed. `stored` is undefined where
 * there is no such checkpoint.
 */
export type CheckpointVerdict =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: 'fenced' | 'moved'; readonly stored: Checkpoint | undefined }

export interface CheckpointWrite {
  readonly name: string
  /** The stored position that this one follows; 0n where there is none yet. */
  readonly from: bigint
  readonly to: bigint
  readonly incarnation: string
  /** From the lease under which the reader works; at least that of the stored one. */
  readonly token: number
}

/**
 * Keeps how far readers have come. Promises, each a case of the contract kit:
 *
 * 1. `save` moves a checkpoint from its stored position to another, in one step: a zombie (a lower token) and a double (another `from`) change
 *    nothing and are answered with what is stored.
 * 2. With `tx` it commits or vanishes with the transaction, and holds only its own row until then.
 * 3. A write of another incarnation than the stored one is accepted only with `from: 0n` (a reader that begins anew), else `moved`.
 * 4. Names are 1 to 512 bytes of UTF-8; `INVALID_INPUT` otherwise. Not open: `NOT_STARTED`.
 */
export interface Checkpoints {
  open(signal?: AbortSignal): Promise<void>
  load(name: string, signal?: AbortSignal): Promise<Checkpoint | undefined>
  /** A pool is no transaction. */
  save<P extends Pool>(
    write: CheckpointWrite,
    options: { readonly tx: PoolOnly<P>; readonly signal?: AbortSignal },
  ): Promise<PoolIsNoTransaction>
  save(write: CheckpointWrite, options?: { readonly tx?: unknown; readonly signal?: AbortSignal }): Promise<CheckpointVerdict>
  /** By name, in the order of code points. */
  list(filter?: { readonly limit?: number; readonly afterName?: string; readonly signal?: AbortSignal }): Promise<readonly Checkpoint[]>
  delete(name: string, signal?: AbortSignal): Promise<boolean>
  close(): Promise<void>
}
