import type { SagaRecord, SagaWrite } from '../../../ports/saga-journal.ts'
import type { SqlText } from '../../sql-shared/runner.ts'
import { invalidInput } from '../../storage-shared/refusals.ts'
import { escaped } from '../escapes.ts'
import { arrayText } from '../statement.ts'

/** What an entry of PostgreSQL's index can hold is a third of a page. */
const ID_MAX_BYTES = 2_000

type Cell = string | number | boolean | null

/** A write as it is sent: texts escaped, and apart from the objects that it was made from. */
export interface SentWrite {
  /** As the caller knows it. */
  readonly id: string
  /** In the order of the parameters of `saga_append`. */
  readonly cells: readonly Cell[]
  readonly records: readonly (readonly Cell[])[]
  readonly weight: number
}

const ENDED = new Set<string>(['done', 'undone'])

/** No `seq` is followed by this. */
const NEVER = -1

/** The first `seq` of records that continue one another; of others one that continues nothing. */
const firstSeq = (records: readonly SagaRecord[]): number => {
  const first = records[0]?.seq
  return first !== undefined && records.every(({ seq }, i) => seq === first + i) ? first : NEVER
}

const orNull = (text: string | undefined): string | null => (text === undefined ? null : escaped(text))

export function encode(write: SagaWrite): SentWrite {
  const { id, create, state, fence, records } = write
  const key = escaped(id)
  if (id.length * 3 > ID_MAX_BYTES && Buffer.byteLength(key) > ID_MAX_BYTES)
    throw invalidInput('the id of a saga', `at most ${ID_MAX_BYTES} bytes of UTF-8`, `${Buffer.byteLength(key)} bytes`)
  const [first, last] = [records[0], records[records.length - 1]]
  const sent = records.map(({ seq, kind, step, atEpochMs, data }) => [
    seq,
    escaped(kind),
    step === null ? null : escaped(step),
    atEpochMs,
    escaped(data),
  ])
  return {
    id,
    cells: [
      key,
      orNull(create?.saga),
      create?.version ?? null,
      orNull(create?.definitionHash),
      orNull(create?.inputHash),
      create?.shard ?? null,
      state,
      ENDED.has(state),
      fence?.shard ?? null,
      fence?.epoch ?? null,
      firstSeq(records),
      last?.seq ?? null,
      first?.atEpochMs ?? null,
      last?.atEpochMs ?? null,
    ],
    records: sent,
    weight: sent.reduce((sum, record) => sum + 100 + String(record[4]).length, 300),
  }
}

/** The parameters of `saga_append`, one list per column. */
export function parameters(batchId: string, writes: readonly SentWrite[]): SqlText[] {
  const columns = (writes[0] as SentWrite).cells.map((_, at) => arrayText(writes.map(({ cells }) => cells[at] ?? null)))
  const rows = writes.flatMap(({ records }, i) => records.map((record) => [i + 1, ...record]))
  const recordColumns = [0, 1, 2, 3, 4, 5].map((at) => arrayText(rows.map((row) => row[at] ?? null)))
  return [batchId, ...columns, ...recordColumns]
}
