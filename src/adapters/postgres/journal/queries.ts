import type { SagaFilter, SagaHead, SagaRecord, SagaState } from '../../../ports/saga-journal.ts'
import type { SqlRow, SqlText } from '../../sql-shared/runner.ts'
import type { PgStatement } from '../client/client.ts'
import { escaped, unescaped } from '../escapes.ts'
import type { Names } from '../names.ts'
import { arrayText, statement } from '../statement.ts'

const HEAD = 'id, saga, version::text, definition_hash, input_hash, shard::text, state, seq::text, started_ms::text, updated_ms::text'
const HEAD_COLUMNS = 10

const APPEND_CASTS = [
  ...['text', 'text[]', 'text[]', 'bigint[]', 'text[]', 'text[]', 'bigint[]', 'text[]', 'boolean[]', 'bigint[]', 'bigint[]', 'bigint[]'],
  ...['bigint[]', 'numeric[]', 'numeric[]', 'bigint[]', 'bigint[]', 'text[]', 'text[]', 'numeric[]', 'text[]'],
]

/** The statements of every call. */
export interface JournalQueries {
  readonly append: PgStatement
  readonly claim: PgStatement
  readonly release: PgStatement
  readonly head: PgStatement
  readonly heads: PgStatement
  /** With the head's `seq`, so that a gap is seen. */
  readonly records: PgStatement
}

export const journalQueries = ({ of }: Names): JournalQueries => ({
  append: statement(`select ${of('saga_append')}(${APPEND_CASTS.map((cast, i) => `$${i + 1}::text::${cast}`).join(', ')})`),
  claim: statement(`select claimed::text, under::text from ${of('saga_claim')}($1::text, $2::text::bigint, $3::text::double precision)`),
  release: statement(`update ${of('saga_lease')} set owner = null where owner = $1::text`),
  head: statement(`select ${HEAD} from ${of('saga')} where id = $1::text`),
  heads: statement(`select ${HEAD} from ${of('saga')} where id = any ($1::text::text[])`),
  records: statement(
    `select s.seq::text, r.seq::text, r.kind, r.step, r.at_ms::text, r.data
     from ${of('saga')} s left join ${of('saga_record')} r on r.saga = s.number where s.id = $1::text order by r.seq`,
  ),
})

/** A list of open sagas alone reads the index of those, which stays small. */
export function listQuery({ of }: Names, filter: SagaFilter & { readonly limit: number }): readonly [PgStatement, SqlText[]] {
  const { saga, states, shard, limit, afterId } = filter
  const conditions: string[] = []
  const values: SqlText[] = [String(limit)]
  const and = (condition: (parameter: string) => string, value: string): void => {
    values.push(value)
    conditions.push(condition(`$${values.length}::text`))
  }
  if (saga !== undefined) and((p) => `saga = ${p}`, escaped(saga))
  if (states !== undefined) and((p) => `state = any (${p}::text[])`, arrayText(states))
  if (states?.every((state) => state !== 'done' && state !== 'undone')) conditions.push('not ended')
  if (shard !== undefined) and((p) => `shard = ${p}::bigint`, String(shard))
  if (afterId !== undefined) and((p) => `id > ${p}`, escaped(afterId))
  const where = conditions.length > 0 ? `where ${conditions.join(' and ')}` : ''
  return [statement(`select ${HEAD} from ${of('saga')} ${where} order by id limit $1::text::bigint`), values]
}

const text = (value: SqlText | undefined): string => unescaped(value ?? '')

export function asHead(row: SqlRow): SagaHead {
  const [id, saga, version, definitionHash, inputHash, shard, state, seq, startedMs, updatedMs] = row.slice(0, HEAD_COLUMNS)
  return {
    id: text(id),
    saga: text(saga),
    version: Number(version),
    definitionHash: text(definitionHash),
    inputHash: text(inputHash),
    shard: Number(shard),
    state: text(state) as SagaState,
    seq: Number(seq),
    startedEpochMs: Number(startedMs),
    updatedEpochMs: Number(updatedMs),
  }
}

export function asRecord([, seq, kind, step, atMs, data]: SqlRow): SagaRecord {
  return { seq: Number(seq), kind: text(kind), step: step === null ? null : text(step), atEpochMs: Number(atMs), data: text(data) }
}
