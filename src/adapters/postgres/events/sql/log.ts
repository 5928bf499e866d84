import type { Names } from '../../names.ts'
import { logLock } from './locks.ts'
import { SETTINGS } from './settings.ts'
import { onThisTimeline } from './timeline.ts'

/** An event as JSON, for what is told of a conflict and for what is read. Data and metadata go in as they are kept. */
export const eventJson = (e: string, position: string): string =>
  `json_build_array(${position}, ${e}.stream, ${e}.version, ${e}.type, ${e}.id, ${e}.recorded_ms, ${e}.tenant, ${e}.tags, ${e}.data, ${e}.metadata)`

const COLUMNS = 'stream_no, version, recorded_ms, tenant, stream, type, id, tags, data, metadata'

/**
 * Gives every committed joined event its place, below the last `p_reserved` positions, per stream by version (a stream is held to the commit, so
 * that the order of `seq` is that). Whoever calls it holds the log's lock. Answers how many they were.
 */
const placing = (names: Names): string => {
  const { of, place } = names
  return `
create function ${of('event_place')}(p_reserved bigint) returns bigint language plpgsql volatile ${SETTINGS} as $body$
declare
  moved bigint;
begin
  with gone as (
    delete from ${of('event_pending')} returning *
  ), counted as (
    update ${of('event_log')} l set head = l.head + (select count(*) from gone) returning l.head - (select count(*) from gone) - p_reserved as base
  ), placed as (
    select (select base from counted) + row_number() over (order by g.seq) as position, g.* from gone g
  ), written as (
    insert into ${of('event')} (position, ${COLUMNS}) select position, ${COLUMNS} from placed
  ), tagged as (
    insert into ${of('event_tagged')} (tag_no, position)
    select t.tag_no, p.position from placed p cross join lateral unnest(p.tags) u(tag) join ${of('event_tag')} t on t.tag = u.tag and t.tenant = p.tenant
  ), keyed as (
    update ${of('event_key')} k set position = p.position from placed p where p.key is not null and k.key = p.key and k.tenant = p.tenant
  )
  select count(*) into moved from gone;
  return moved;
end $body$;

create function ${of('event_place_all')}(p_wait_ms int) returns bigint language plpgsql volatile ${SETTINGS} as $body$
declare
  timeline_now text; timeline_was text; r_incarnation text;
begin
  if not exists (select from ${of('event_pending')}) then
    return 0;
  end if;
  perform set_config('lock_timeout', p_wait_ms::text, true);
  perform pg_catalog.pg_advisory_xact_lock(${logLock(place)});
  select l.timeline into timeline_was from ${of('event_log')} l;
${onThisTimeline(names)}
  return ${of('event_place')}(0);
end $body$;`
}

/** What a stream has beyond a version, at most 101; null: nothing. */
const after = ({ of }: Names): string => `
create function ${of('event_after')}(p_stream_no bigint, p_version bigint) returns json language sql stable ${SETTINGS} as $body$
  select json_agg(${eventJson('e', 'e.position')} order by e.version) from (
    (select e.position, ${columns('e')} from ${of('event')} e
      where e.stream_no = p_stream_no and e.version > p_version order by e.version limit 101)
    union all
    (select null, ${columns('e')} from ${of('event_pending')} e
      where e.stream_no = p_stream_no and e.version > p_version order by e.version limit 101)
    order by version limit 101
  ) e
$body$;`

const columns = (e: string): string => COLUMNS.replaceAll(/\w+/g, (name) => `${e}.${name}`)

/** What matches any of the queries beyond a position, at most 101; null: nothing. Of a query's tags the one with the fewest events is followed. */
const matching = ({ of }: Names): string => `
create function ${of('event_matching')}(p_tenant text, p_queries jsonb, p_after bigint) returns json
language sql stable ${SETTINGS} as $body$
  with q as materialized (
    select array(select jsonb_array_elements_text(x -> 'tags')) as tags,
      case when x ? 'types' then array(select jsonb_array_elements_text(x -> 'types')) end as types
    from jsonb_array_elements(p_queries) x
  ), placed as (
    select distinct m.position from q cross join lateral (
      select t.tag_no from ${of('event_tag')} t where t.tag = any(q.tags) and t.tenant = p_tenant order by t.events limit 1
    ) rare cross join lateral (
      select g.position from ${of('event_tagged')} g join ${of('event')} e on e.position = g.position
      where g.tag_no = rare.tag_no and g.position > p_after and e.tags @> q.tags and (q.types is null or e.type = any(q.types))
      order by g.position limit 101
    ) m
  ), waiting as (
    select e.* from ${of('event_pending')} e where e.tenant = p_tenant
      and exists (select from q where e.tags @> q.tags and (q.types is null or e.type = any(q.types)))
    order by e.seq limit 101
  )
  select json_agg(${eventJson('e', 'e.position')} order by e.position nulls last, e.seq) from (
    (select e.position, 0 as seq, ${columns('e')} from placed join ${of('event')} e on e.position = placed.position order by 1 limit 101)
    union all
    select null, e.seq, ${columns('e')} from waiting e
    order by 1 nulls last, 2 limit 101
  ) e
$body$;

create function ${of('event_since')}(p_tenant text, p_after bigint, p_to bigint) returns json language sql stable ${SETTINGS} as $body$
  select json_agg(${eventJson('e', 'e.position')} order by e.position) from (
    select * from ${of('event')} e where e.position > p_after and (p_to is null or e.position <= p_to) and e.tenant = p_tenant
    order by e.position limit 101
  ) e
$body$;`

export const logFunctions = (names: Names): string => `${placing(names)}${after(names)}${matching(names)}`
