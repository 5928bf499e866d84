import type { TraceContext } from '../core/context.ts'
import { HoldfastError } from '../core/errors.ts'
import type { Effect } from '../core/outcome.ts'
import type { SagaRecord } from '../ports/saga-journal.ts'
import type { StoredError } from './stored-error.ts'

/** What a saga keeps of the context it was started with. */
export interface StoredContext {
  readonly tenant?: string
  readonly keys?: Readonly<Record<string, string>>
  readonly trace?: TraceContext
  readonly correlationId?: string
  readonly causationId?: string
}

/** What each kind of record holds in `data`, as JSON. Kinds marked with a star belong to a step. */
export interface RecordData {
  /** The saga exists. */
  readonly started: { readonly input?: unknown; readonly context?: StoredContext; readonly idempotencyKey?: string }
  /** (*) `run` is about to be called for the first time. */
  readonly intent: object
  /** (*) A process found an attempt that another one, or an earlier life of its own, left unfinished. */
  readonly resumed: object
  /** (*) An attempt failed and another one follows. */
  readonly retry: { readonly effect: Effect; readonly error: StoredError }
  /** (*) `run` succeeded. */
  readonly result: { readonly value?: unknown }
  /** (*) `run` failed for good; what was done is undone. `effect` is that of all its attempts together. */
  readonly failed: { readonly effect: Effect; readonly error: StoredError }
  /** Somebody asked for the saga to be undone. */
  readonly cancelled: { readonly reason: string }
  /** (*) `undo` is about to be called for the first time. */
  readonly undo: object
  /** (*) The step is undone; without a step: the saga is. */
  readonly undone: object
  /** The saga waits for an operator. */
  readonly stuck: { readonly reason: string; readonly error?: StoredError }
  /** An operator had a parked saga go on. */
  readonly retried: { readonly reason?: string }
  /** (*) An operator had a parked saga go on as if the step, or its undo, had succeeded. */
  readonly skipped: { readonly reason: string }
  /** The saga is complete; `output` is what `result()` resolves to. */
  readonly done: { readonly output?: unknown }
}

export type RecordKind = keyof RecordData

/** A record, read. */
export type Entry = {
  readonly [K in RecordKind]: { readonly kind: K; readonly step: string | null; readonly atEpochMs: number; readonly data: RecordData[K] }
}[RecordKind]

const KINDS: ReadonlySet<string> = new Set<RecordKind>([
  'started',
  'intent',
  'resumed',
  'retry',
  'result',
  'failed',
  'cancelled',
  'undo',
  'undone',
  'stuck',
  'retried',
  'skipped',
  'done',
])

export const encode = (entry: Entry, seq: number): SagaRecord => ({
  seq,
  kind: entry.kind,
  step: entry.step,
  atEpochMs: entry.atEpochMs,
  data: JSON.stringify(entry.data),
})

/** @throws {HoldfastError} `STORAGE_CORRUPT` (effect none) for a record that this version cannot read. */
export function decode(id: string, record: SagaRecord): Entry {
  if (!KINDS.has(record.kind)) throw unreadable(id, record, `its kind ${record.kind} is unknown to this version`)
  try {
    return { kind: record.kind, step: record.step, atEpochMs: record.atEpochMs, data: JSON.parse(record.data) as object } as Entry
  } catch (error) {
    throw unreadable(id, record, 'its data is not JSON', error)
  }
}

const unreadable = (id: string, record: SagaRecord, why: string, cause?: unknown): HoldfastError =>
  new HoldfastError('STORAGE_CORRUPT', `saga ${id}: record ${record.seq} cannot be read: ${why}`, { effect: 'none', cause })
