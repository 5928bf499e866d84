import type { SagaRecord, SagaVerdict, SagaWrite } from '../../ports/saga-journal.ts'
import { judge, type Stored } from '../journal-shared/judge.ts'
import { asNumber } from './connection.ts'
import { asHead, isEnded, type Queries } from './queries.ts'

type Place = Stored & { readonly number: number }

type Epochs = (shard: number) => number | undefined

/** A batch inside its transaction: each write is checked against what is stored now, the writes before it included. */
export function appendAll(queries: Queries, writes: readonly SagaWrite[]): SagaVerdict[] {
  const epochs = epochsOf(queries)
  return writes.map((write) => appendWrite(queries, write, epochs))
}

function appendWrite(queries: Queries, write: SagaWrite, epochs: Epochs): SagaVerdict {
  const place = placeOf(queries, write.id)
  const verdict = judge(write, place, epochs)
  if (verdict === 'exists') return { ok: false, reason: 'exists', head: asHead(queries.head.get(write.id) ?? {}) }
  if (verdict !== 'ok') return { ok: false, reason: verdict }
  const number = place === undefined ? create(queries, write) : extend(queries, write, place.number)
  for (const { seq, kind, step, atEpochMs, data } of write.records) queries.record.run(number, seq, kind, step, atEpochMs, data)
  return { ok: true }
}

function placeOf(queries: Queries, id: string): Place | undefined {
  const row = queries.place.get(id)
  return row === undefined ? undefined : { number: asNumber(row.number), shard: asNumber(row.shard), seq: asNumber(row.seq) }
}

/** Each shard's epoch is read once in a transaction, which nobody can change it under. */
function epochsOf(queries: Queries): Epochs {
  const known = new Map<number, number | undefined>()
  return (shard) => {
    if (!known.has(shard)) {
      const row = queries.epoch.get(shard)
      known.set(shard, row === undefined ? undefined : asNumber(row.epoch))
    }
    return known.get(shard)
  }
}

const lastOf = (write: SagaWrite): SagaRecord => write.records[write.records.length - 1] as SagaRecord

function create(queries: Queries, write: SagaWrite): number {
  const { saga, version, definitionHash, inputHash, shard } = write.create as NonNullable<SagaWrite['create']>
  const { seq, atEpochMs } = lastOf(write)
  const startedMs = write.records[0]?.atEpochMs ?? atEpochMs
  const { id, state } = write
  const row = queries.create.get(id, saga, version, definitionHash, inputHash, shard, state, isEnded(state), seq, startedMs, atEpochMs)
  return asNumber(row?.number)
}

function extend(queries: Queries, write: SagaWrite, number: number): number {
  const { seq, atEpochMs } = lastOf(write)
  queries.extend.run(write.state, isEnded(write.state), seq, atEpochMs, number)
  return number
}
