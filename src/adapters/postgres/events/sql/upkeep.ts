import type { Names } from '../../names.ts'
import { logLock, nameLock, sequence } from './locks.ts'
import { SETTINGS } from './settings.ts'

/**
 * Settles a batch whose answer was lost: whoever writes its id first decides. The original can then never commit; or it has, and its answers
 * are here.
 */
const claiming = ({ of }: Names): string => `
create function ${of('event_claim')}(
  p_id uuid, p_wait_ms int, out r_status int[], out r_versions bigint[], out r_base bigint, out r_incarnation text
) language plpgsql volatile ${SETTINGS} as $body$
begin
  perform set_config('lock_timeout', p_wait_ms::text, true);
  insert into ${of('event_batch')} (id, at) values (p_id, clock_timestamp()) on conflict do nothing;
  select b.status, b.versions, b.base into r_status, r_versions, r_base from ${of('event_batch')} b where b.id = p_id for update;
  select l.incarnation into r_incarnation from ${of('event_log')} l;
end $body$;`

/** What of a server and database tells that positions may be given twice. Where they cannot be asked for, only an operator's call rotates. */
const identity = ({ of, place }: Names): string => `
create function ${of('event_system')}() returns text language plpgsql volatile ${SETTINGS} as $body$
begin
  return (select c.system_identifier::text from pg_control_system() c) || '.' || (select d.oid::text from pg_database d where d.datname = current_database());
exception when others then
  return '';
end $body$;

create function ${of('event_timeline')}() returns text language plpgsql volatile ${SETTINGS} as $body$
begin
  return substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8);
exception when others then
  return '';
end $body$;

create function ${of('event_open')}(p_rotate boolean, out r_head bigint, out r_incarnation text) language plpgsql volatile ${SETTINGS} as $body$
declare
  l record;
  system_now constant text := ${of('event_system')}();
  timeline_now constant text := ${of('event_timeline')}();
begin
  select * into strict l from ${of('event_log')};
  if p_rotate or (not pg_is_in_recovery() and (system_now not in ('', l.system) or timeline_now not in ('', l.timeline))) then
    perform pg_catalog.pg_advisory_xact_lock(${logLock(place)});
    select * into strict l from ${of('event_log')};
    update ${of('event_log')} set system = coalesce(nullif(system_now, ''), system), timeline = coalesce(nullif(timeline_now, ''), timeline),
      incarnation = case
        when p_rotate or (l.system <> '' and system_now not in ('', l.system)) or (l.timeline <> '' and timeline_now not in ('', l.timeline))
        then gen_random_uuid()::text else incarnation end
    returning * into l;
  end if;
  r_head := l.head;
  r_incarnation := l.incarnation;
end $body$;`

/**
 * Closes a stream, or removes its events below a version. Answers `placing` where joined events have to be given their places first, so that
 * who waits for them is answered.
 */
const shutting = ({ of }: Names): string => `
create function ${of('event_shut')}(p_tenant text, p_name text, p_shut text, p_before bigint, p_wait_ms int) returns text
language plpgsql volatile ${SETTINGS} as $body$
declare
  s record;
  known boolean;
begin
  perform set_config('lock_timeout', p_wait_ms::text, true);
  perform ${of('event_hold')}(null, null, array[p_tenant], array[p_name], null, null);
  select * into s from ${of('event_stream')} t where t.stream = p_name and t.tenant = p_tenant;
  known := found;
  if known and exists (select from ${of('event_pending')} p where p.stream_no = s.stream_no) then
    return 'placing';
  end if;
  if p_shut is null then
    delete from ${of('event_archived')} e where e.stream_no = s.stream_no and e.version < p_before;
  elsif not known then
    insert into ${of('event_stream')} (stream_no, tenant, stream, version, shut)
    values (nextval(${sequence(of('event_stream_no'))}), p_tenant, p_name, 0, p_shut);
    return 'done';
  elsif s.shut = 'tombstoned' then
    return s.shut;
  else
    update ${of('event_stream')} t set shut = p_shut where t.stream_no = s.stream_no;
  end if;
  if p_shut = 'tombstoned' then
    delete from ${of('event_archived')} e where e.stream_no = s.stream_no;
  end if;
  with gone as (
    delete from ${of('event')} e where e.stream_no = s.stream_no and (p_before is null or e.version < p_before) returning *
  ), kept as (
    insert into ${of('event_archived')} select * from gone where p_shut = 'archived'
  )
  delete from ${of('event_tagged')} g using (
    select t.tag_no, e.position from gone e cross join lateral unnest(e.tags) u(tag) join ${of('event_tag')} t on t.tag = u.tag and t.tenant = e.tenant
  ) x where g.tag_no = x.tag_no and g.position = x.position;
  return 'done';
end $body$;`

/** In small steps, so that nobody waits for it; answers how many rows went. */
const purging = ({ of }: Names): string => `
create function ${of('event_purge')}(p_keys_days float8, p_limit int) returns bigint
language plpgsql volatile ${SETTINGS} as $body$
declare
  keys bigint;
  batches bigint;
begin
  with old as (
    select k.key, k.tenant from ${of('event_key')} k where k.at < clock_timestamp() - p_keys_days * interval '1 day' and k.position is not null
    order by k.at limit p_limit for update skip locked
  )
  delete from ${of('event_key')} k using old where k.key = old.key and k.tenant = old.tenant;
  get diagnostics keys = row_count;
  with old as (
    select b.id from ${of('event_batch')} b where b.at < clock_timestamp() - interval '1 day' order by b.at limit p_limit for update skip locked
  )
  delete from ${of('event_batch')} b using old where b.id = old.id;
  get diagnostics batches = row_count;
  return keys + batches;
end $body$;`

/** Rows for tags that have none, in the order in which everybody takes names: committed apart, before a request that has many asks for them. */
const tagging = ({ of, place }: Names): string => `
create function ${of('event_tags')}(p_tenant text, p_tags text[], p_wait_ms int) returns void language plpgsql volatile ${SETTINGS} as $body$
begin
  perform set_config('lock_timeout', p_wait_ms::text, true);
  for i in 1 .. cardinality(p_tags) loop
    perform 1 from ${of('event_tag')} t where t.tag = p_tags[i] and t.tenant = p_tenant;
    if not found then
      perform pg_catalog.pg_advisory_xact_lock(${nameLock('tag', place, 'p_tenant', 'p_tags[i]')});
      insert into ${of('event_tag')} (tag_no, tenant, tag, last_position, events)
      values (nextval(${sequence(of('event_tag_no'))}), p_tenant, p_tags[i], 0, 0) on conflict do nothing;
    end if;
  end loop;
end $body$;`

export const upkeepFunctions = (names: Names): string =>
  `${claiming(names)}${identity(names)}${shutting(names)}${purging(names)}${tagging(names)}`.replaceAll('\n\n', '\n')
