import type { SagaFilter, SagaHead, SagaRecord, SagaState } from '../../ports/saga-journal.ts'
import { asNumber, asText, type Connection, type Prepared, type Row, texts, type Value } from './connection.ts'

const HEAD = `number, ${texts('id', 'saga', 'definition_hash', 'input_hash', 'state')}, version, shard, seq, started_ms, updated_ms`

/** The statements of every call, prepared once for each connection. */
export interface Queries {
  readonly place: Prepared
  readonly head: Prepared
  readonly create: Prepared
  readonly extend: Prepared
  readonly record: Prepared
  readonly records: Prepared
  readonly epoch: Prepared
  readonly leases: Prepared
  readonly take: Prepared
  readonly renew: Prepared
  readonly release: Prepared
}

export const prepareQueries = (connection: Connection): Queries => ({
  place: connection.prepare('select number, shard, seq from holdfast_saga where id = ?'),
  head: connection.prepare(`select ${HEAD} from holdfast_saga where id = ?`),
  create: connection.prepare(
    `insert into holdfast_saga (id, saga, version, definition_hash, input_hash, shard, state, ended, seq, started_ms, updated_ms)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) returning number`,
  ),
  extend: connection.prepare('update holdfast_saga set state = ?, ended = ?, seq = ?, updated_ms = ? where number = ?'),
  record: connection.prepare('insert into holdfast_saga_record (saga, seq, kind, step, at_ms, data) values (?, ?, ?, ?, ?, ?)'),
  records: connection.prepare(
    `select seq, ${texts('kind', 'step', 'data')}, at_ms from holdfast_saga_record where saga = ? order by holdfast_saga_record.seq`,
  ),
  epoch: connection.prepare('select epoch from holdfast_lease where shard = ?'),
  leases: connection.prepare(`select shard, ${texts('owner', 'holder')}, until_ms, lease_ms, epoch from holdfast_lease where shard < ?`),
  take: connection.prepare(
    `insert into holdfast_lease (shard, owner, holder, until_ms, lease_ms, epoch) values (?, ?, ?, ?, ?, 1)
     on conflict (shard) do update set owner = excluded.owner, holder = excluded.holder, until_ms = excluded.until_ms,
     lease_ms = excluded.lease_ms, epoch = epoch + 1 returning epoch`,
  ),
  renew: connection.prepare('update holdfast_lease set until_ms = ?, lease_ms = ? where shard = ?'),
  release: connection.prepare('update holdfast_lease set owner = null where owner = ? and holder = ?'),
})

export const isEnded = (state: SagaState): 0 | 1 => (state === 'done' || state === 'undone' ? 1 : 0)

export const asHead = (row: Row): SagaHead => ({
  id: asText(row.id),
  saga: asText(row.saga),
  version: asNumber(row.version),
  definitionHash: asText(row.definition_hash),
  inputHash: asText(row.input_hash),
  shard: asNumber(row.shard),
  state: asText(row.state) as SagaState,
  seq: asNumber(row.seq),
  startedEpochMs: asNumber(row.started_ms),
  updatedEpochMs: asNumber(row.updated_ms),
})

export const asRecord = (row: Row): SagaRecord => ({
  seq: asNumber(row.seq),
  kind: asText(row.kind),
  step: row.step === null ? null : asText(row.step),
  atEpochMs: asNumber(row.at_ms),
  data: asText(row.data),
})

/** A list of open sagas alone reads the index of those, which stays small; left to itself SQLite would walk all ids for their order. */
export function listed(connection: Connection, filter: SagaFilter & { readonly limit: number }): readonly Row[] {
  const { saga, states, shard, limit, afterId } = filter
  if (states?.length === 0) return []
  const conditions: string[] = []
  const values: Value[] = []
  const and = (condition: string, ...bound: Value[]): void => {
    conditions.push(condition)
    values.push(...bound)
  }
  if (saga !== undefined) and('saga = ?', saga)
  if (states !== undefined) and(`state in (${states.map(() => '?').join(', ')})`, ...states)
  const open = states?.every((state) => isEnded(state) === 0) === true
  if (open) and('ended = 0')
  if (shard !== undefined) and('shard = ?', shard)
  if (afterId !== undefined) and('id > ?', afterId)
  const where = conditions.length > 0 ? `where ${conditions.join(' and ')}` : ''
  return connection
    .prepare(`select ${HEAD} from holdfast_saga ${open ? 'indexed by holdfast_saga_open ' : ''}${where} order by holdfast_saga.id limit ?`)
    .all(...values, limit)
}
