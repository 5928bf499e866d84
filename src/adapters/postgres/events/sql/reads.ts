import type { PgStatement } from '../../client/client.ts'
import type { Names } from '../../names.ts'
import { statement } from '../../statement.ts'
import { eventJson } from './log.ts'

/** Stored bytes of data after which a batch ends: of compressed data a text may become some ten times as long. */
const BATCH_BYTES = 16 * 1024 * 1024

/**
 * What of the rows fits in one batch, as one text of JSON, and whether there may be more: rows of columns cost the reader half as much again (4.9 µs to 3.2).
 * Only what is large is added up row by row.
 */
const fitting = (rows: string, order: string): string => `
  with rows as materialized (${rows})
  select (case when z.size < ${BATCH_BYTES}
    then (select json_agg(${eventJson('e', 'e.position')}) from (select * from rows order by ${order}) e)
    else (select json_agg(${eventJson('e', 'e.position')}) from (
      select *, sum(pg_column_size(data)) over (order by ${order}) - pg_column_size(data) as before from rows order by ${order}
    ) e where e.before < ${BATCH_BYTES}) end)::text as events, (z.size >= ${BATCH_BYTES})::text as cut
  from (select coalesce(sum(pg_column_size(data)), 0) as size from rows) z`

/** Events of a stream from `$3` to `$4`, at most `$5`: what has a place, what waits for one, what was archived. */
export function streamStatement({ of }: Names, order: 'asc' | 'desc'): PgStatement {
  const part = (table: string, position: string): string => `(select ${position} as position, e.stream, e.version, e.type, e.id,
    e.recorded_ms, e.tenant, e.tags, e.data, e.metadata from ${of(table)} e where e.stream_no = (
      select t.stream_no from ${of('event_stream')} t where t.stream = $2::text and t.tenant = $1::text)
    and e.version >= $3::text::bigint and e.version <= $4::text::bigint order by e.version ${order} limit $5::text::int)`
  const rows = `${part('event', 'e.position')} union all ${part('event_pending', 'null')} union all ${part('event_archived', 'null')}
    order by version ${order} limit $5::text::int`
  return statement(fitting(rows, `version ${order}`))
}

const SELECTED = `($3::text is null or e.tenant = $3::text) and ($4::text is null or e.type = any($4::text::text[]))
    and ($5::text is null or e.tags @> $5::text::text[])`

const HEAD = (of: Names['of']): string => `l.head::text, l.incarnation, (exists (select from ${of('event_pending')}))::text, r.events, r.cut
  from ${of('event_log')} l`

/** Places above `$1` up to `$2` are looked at, at most `$6` events given: with the head, all of one snapshot. */
export function logStatement({ of }: Names): PgStatement {
  const rows = `select * from ${of('event')} e where e.position > $1::text::bigint and e.position <= $2::text::bigint and ${SELECTED}
    order by e.position limit $6::text::int`
  return statement(`select null, ${HEAD(of)}, (${fitting(rows, 'position')}) r`)
}

/** The same by the list of the tag that has the fewest events, at most `$7` of its places; the first column: how far they went, null: to the head. */
export function taggedStatement({ of }: Names): PgStatement {
  const rows = `select e.* from looked join ${of('event')} e on e.position = looked.position where ${SELECTED}
    order by e.position limit $6::text::int`
  return statement(`with looked as materialized (
    select g.position from ${of('event_tagged')} g where g.tag_no = (
      select t.tag_no from ${of('event_tag')} t where t.tag = any($5::text::text[]) and t.tenant = $3::text order by t.events limit 1
    ) and g.position > $1::text::bigint and g.position <= $2::text::bigint order by g.position limit $7::text::int
  ) select (select case when count(*) = $7::text::int then max(k.position) end::text from looked k), ${HEAD(of)}, (${fitting(rows, 'position')}) r`)
}
