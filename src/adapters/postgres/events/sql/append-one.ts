import type { Names } from '../../names.ts'
import { draw } from './append-writes.ts'
import { logLock, nameLock, sequence } from './locks.ts'
import { SETTINGS } from './settings.ts'
import { EXPECT, STATUS } from './status.ts'

/** In this order they are bound. */
export const ONE_PARAMETERS = [
  ['p_batch', 'uuid'],
  ['p_tenant', 'text'],
  ['p_stream', 'text'],
  ['p_expect', 'bigint'],
  ['p_type', 'text[]'],
  ['p_id', 'text[]'],
  ['p_data', 'text[]'],
  ['p_metadata', 'text[]'],
] as const

/**
 * What most appends are when they come alone: events for one stream, without tags, condition or key. Where nothing is in the way it writes as
 * `event_append` does, by the same locks, at half the cost; else it answers no status and has done nothing, and `event_append` decides.
 *
 * The row of a stream is locked, or the name before a row is made, so that nothing but the log's lock is waited for: whoever makes a row holds
 * its name's lock until it is committed.
 */
export const appendOneFunction = (names: Names): string => {
  const { of, place } = names
  const parameters = ONE_PARAMETERS.map(([name, type]) => `${name} ${type}`).join(', ')
  return `
create function ${of('event_append_one')}(
  ${parameters}, out r_status int[], out r_versions bigint[], out r_base bigint, out r_incarnation text, out r_more json
) language plpgsql volatile ${SETTINGS} as $body$
declare
  written constant bigint := cardinality(p_type);
  now_ms constant bigint := (extract(epoch from clock_timestamp()) * 1000)::bigint;
  s_no bigint; v bigint; pending boolean; timeline_now text; timeline_was text;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    return;
  end if;
  if p_expect <> 0 then
    update ${of('event_stream')} s set version = s.version + written where s.stream_no = (
      select t.stream_no from ${of('event_stream')} t where t.stream = p_stream and t.tenant = p_tenant and t.shut is null
        and (p_expect = t.version or p_expect = ${EXPECT.any} or (p_expect = ${EXPECT.exists} and t.version > 0))
      for update skip locked
    ) returning s.stream_no, s.version into s_no, v;
  end if;
  if s_no is null and p_expect in (0, ${EXPECT.any}) and pg_try_advisory_xact_lock(${nameLock('stream', place, 'p_tenant', 'p_stream')}) then
    insert into ${of('event_stream')} (stream_no, tenant, stream, version)
    values (nextval(${sequence(of('event_stream_no'))}), p_tenant, p_stream, written)
    on conflict do nothing returning stream_no, version into s_no, v;
  end if;
  if s_no is null then
    return;
  end if;
  perform pg_advisory_xact_lock(${logLock(place)});
${draw(names)}
  insert into ${of('event')} (position, stream_no, version, recorded_ms, tenant, stream, type, id, data, metadata)
  select r_base + e.i, s_no, v - written + e.i, now_ms, p_tenant, p_stream, e.type, e.id, e.data::json, e.metadata::json
  from unnest(p_type, p_id, p_data, p_metadata) with ordinality e(type, id, data, metadata, i);
  r_status := array[${STATUS.ok}];
  r_versions := array[v];
  insert into ${of('event_batch')} (id, at, status, versions, base) values (p_batch, clock_timestamp(), r_status, r_versions, r_base);
end $body$;`
}
