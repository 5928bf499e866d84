import type { SagaHead, SagaRecord, SagaWrite } from '../../ports/saga-journal.ts'

/** What is stored of a saga, as far as a verdict depends on it. */
export interface Stored {
  readonly shard: number
  readonly seq: number
}

/** The verdict on one write, by promises 4 to 6 of the journal. `epochOf` tells a shard's latest epoch. */
export function judge(
  write: SagaWrite,
  stored: Stored | undefined,
  epochOf: (shard: number) => number | undefined,
): 'ok' | 'exists' | 'fenced' | 'conflict' {
  const { create, fence, records } = write
  if (create !== undefined && stored !== undefined) return 'exists'
  if (create === undefined && stored === undefined) return 'conflict'
  const shard = stored?.shard ?? create?.shard
  if (fence === undefined ? create === undefined : fence.shard !== shard || fence.epoch !== epochOf(fence.shard)) return 'fenced'
  return continues(records, stored?.seq ?? 0) ? 'ok' : 'conflict'
}

const continues = (records: readonly SagaRecord[], seq: number): boolean =>
  records.length > 0 && records.every((record, i) => record.seq === seq + 1 + i)

/** The head after a write that was found `ok`. */
export function headAfter(write: SagaWrite, former: SagaHead | undefined): SagaHead {
  const first = write.records[0] as SagaRecord
  const last = write.records[write.records.length - 1] as SagaRecord
  const { saga, version, definitionHash, inputHash, shard } = (former ?? write.create) as NonNullable<SagaWrite['create']>
  return Object.freeze({
    id: write.id,
    saga,
    version,
    definitionHash,
    inputHash,
    shard,
    state: write.state,
    seq: last.seq,
    startedEpochMs: former?.startedEpochMs ?? first.atEpochMs,
    updatedEpochMs: last.atEpochMs,
  })
}
