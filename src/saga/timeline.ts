import type { Effect } from '../core/outcome.ts'
import type { SagaRecord } from '../ports/saga-journal.ts'
import { decode, type Entry, type RecordKind } from './records.ts'
import type { StoredError } from './stored-error.ts'

/** One durable record of a saga, for people. */
export interface TimelineEntry {
  /** 1, 2, 3 … */
  readonly seq: number
  /**
   * `started`, `intent` (a step begins), `retry` (an attempt failed, another follows), `resumed` (an attempt was cut off and is repeated),
   * `result`, `failed`, `cancelled`, `undo` (an undo begins), `undone` (a step; without one: the saga), `stuck`, `retried`, `skipped`, `done`.
   */
  readonly what: RecordKind
  readonly step?: string
  /** Wall-clock milliseconds since 1970 at the process that wrote it. */
  readonly atEpochMs: number
  /** Which attempt failed, or was repeated; counted from 1. */
  readonly attempt?: number
  readonly error?: StoredError
  /** Whether the failed attempt may have had an effect. */
  readonly effect?: Effect
  /** Why it was cancelled, parked, retried or skipped. */
  readonly reason?: string
}

const NUMBERED: ReadonlySet<RecordKind> = new Set<RecordKind>(['retry', 'resumed', 'result', 'failed', 'undone'])

/** Reads a saga's records as a timeline. */
export function timeline(id: string, records: readonly SagaRecord[]): readonly TimelineEntry[] {
  let attempt = 1
  return records.map((record) => {
    const entry = decode(id, record)
    if (entry.kind === 'intent' || entry.kind === 'undo') attempt = 1
    const read = readable(entry, record.seq, attempt)
    if (entry.kind === 'retry' || entry.kind === 'resumed') attempt += 1
    return read
  })
}

function readable(entry: Entry, seq: number, attempt: number): TimelineEntry {
  const { error, effect, reason } = entry.data as { error?: StoredError; effect?: Effect; reason?: string }
  return {
    seq,
    what: entry.kind,
    ...(entry.step === null ? {} : { step: entry.step }),
    atEpochMs: entry.atEpochMs,
    ...(entry.step !== null && NUMBERED.has(entry.kind) ? { attempt } : {}),
    ...(error === undefined ? {} : { error }),
    ...(effect === undefined ? {} : { effect }),
    ...(reason === undefined ? {} : { reason }),
  }
}
