import type { SqlText } from '../../sql-shared/runner.ts'
import type { PgStatement } from '../client/client.ts'
import type { Names } from '../names.ts'
import { statement } from '../statement.ts'
import { APPEND_PARAMETERS } from './sql/append.ts'
import { ONE_PARAMETERS } from './sql/append-one.ts'
import { logStatement, streamStatement, taggedStatement } from './sql/reads.ts'

const RESULT = 'select r_status::text, r_versions::text, r_base::text, r_incarnation, r_more::text from'

/** The last of the parameters that every batch has; those after it are bound only where a request has keys, tags or a condition. */
const PLAIN = APPEND_PARAMETERS.findIndex(([name]) => name === 'p_e_tags')

const bound = (parameters: readonly (readonly [name: string, type: string])[], count = parameters.length): string =>
  parameters.map(([, type], i) => (i < count ? `$${i + 1}::text::${type}` : `null::${type}`)).join(', ')

export interface Call {
  readonly statement: PgStatement
  readonly values: readonly SqlText[]
}

/** The statements of one place, made once. */
export function eventStatements(names: Names) {
  const { of } = names
  const append = (count: number) => statement(`${RESULT} ${of('event_append')}(false, ${bound(APPEND_PARAMETERS, count)})`)
  const plain = append(PLAIN)
  const full = append(APPEND_PARAMETERS.length)
  const join = statement(`${RESULT} ${of('event_join')}(${bound(APPEND_PARAMETERS)})`)
  return {
    one: statement(`${RESULT} ${of('event_append_one')}(${bound(ONE_PARAMETERS)})`),
    append: (values: readonly SqlText[]): Call =>
      values.slice(PLAIN).every((value) => value === null)
        ? { statement: plain, values: values.slice(0, PLAIN) }
        : { statement: full, values },
    join,
    claim: statement(
      `select r_status::text, r_versions::text, r_base::text, r_incarnation from ${of('event_claim')}($1::text::uuid, $2::text::int)`,
    ),
    open: statement(`select r_head::text, r_incarnation from ${of('event_open')}($1::text::boolean)`),
    head: statement(`select head::text, incarnation from ${of('event_log')}`),
    recovering: statement('select pg_catalog.pg_is_in_recovery()::text'),
    place: statement(`select ${of('event_place_all')}($1::text::int)::text`),
    shut: statement(`select ${of('event_shut')}($1::text, $2::text, $3::text, $4::text::bigint, $5::text::int)`),
    purge: statement(`select ${of('event_purge')}($1::text::float8, $2::text::int)::text`),
    tags: statement(`select ${of('event_tags')}($1::text, $2::text::text[], $3::text::int)::text`),
    placed: statement(`select l.head::text, l.incarnation, s.version::text, e.position::text,
      exists (select from ${of('event_pending')} p where p.stream_no = $1::text::bigint and p.version = $2::text::bigint)::text
      from ${of('event_log')} l left join ${of('event_stream')} s on s.stream_no = $1::text::bigint
      left join ${of('event')} e on e.stream_no = s.stream_no and e.version = $2::text::bigint`),
    stats: statement(`select (select count(*) from ${of('event_pending')})::text, (select extract(epoch from
      max(clock_timestamp() - coalesce(a.xact_start, a.query_start))) * 1000 from pg_stat_activity a
      where a.datname = current_database() and a.backend_xmin is not null and a.pid <> pg_backend_pid())::text`),
    stream: { forwards: streamStatement(names, 'asc'), backwards: streamStatement(names, 'desc') },
    log: logStatement(names),
    tagged: taggedStatement(names),
  }
}

export type EventStatements = ReturnType<typeof eventStatements>
