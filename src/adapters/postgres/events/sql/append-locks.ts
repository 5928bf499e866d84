import type { Names } from '../../names.ts'
import { logLock, nameLock, sequence } from './locks.ts'
import { EXPECT, STATUS } from './status.ts'

/** One that was answered before needs nothing else. The loser of a race finds the answer in the statement after the lock. */
export const appendKeys = ({ of, place }: Names): string => `
  if p_k_key is not null then
    for i in 1 .. cardinality(p_k_key) loop
      if not pg_catalog.pg_try_advisory_xact_lock(${nameLock('key', place, 'p_k_tenant[i]', 'p_k_key[i]')}) then
        r_status[p_k_request[i]] := ${STATUS.busy};
      end if;
    end loop;
    for k, status, found in
      select u.request, case when e.hash = u.hash then ${STATUS.duplicate} else ${STATUS.keyReused} end, json_build_object(
        'i', u.request, 'versions', e.versions, 'position', e.position::text, 'no', e.stream_no::text, 'version', e.version
      )
      from unnest(p_k_request, p_k_tenant, p_k_key, p_k_hash) u(request, tenant, key, hash)
      join ${of('event_key')} e on e.key = u.key and e.tenant = u.tenant
    loop
      r_status[k] := status;
      if status = ${STATUS.duplicate} then more := more || found; end if;
    end loop;
  end if;
`

/**
 * A row that somebody holds is not waited for. A name is held by its advisory lock before it is looked for: where there is no row then, nobody is
 * making one. In a plain batch (one write to a stream of its own per request, nothing else) whether all may write is found
 * here, and what they make of the versions; where all of it is to be new, the rows are made first, and looked for only if some were there.
 */
export const appendStreams = ({ of, place }: Names): string => `
  for i in 1 .. cardinality(p_s_name) loop
    s_held[i] := pg_catalog.pg_try_advisory_xact_lock(${nameLock('stream', place, 'p_s_tenant[i]', 'p_s_name[i]')});
  end loop;
  if p_plain and not p_joined and 0 = all(p_w_expect) and true = all(s_held) then
    with made as (
      insert into ${of('event_stream')} (stream_no, tenant, stream, version)
      select nextval(${sequence(of('event_stream_no'))}), u.tenant, u.name, u.events from unnest(p_s_tenant, p_s_name, p_w_events) u(tenant, name, events)
      on conflict do nothing returning stream_no
    ) select array_agg(m.stream_no order by m.stream_no) into s_made from made m;
  end if;
  if cardinality(s_made) = n then
    s_no := s_made;
    s_after := p_w_events;
    all_ok := true;
  else
    select array_agg(x.no), array_agg(x.version), array_agg(x.version + x.events), array_agg(x.shut), array_agg(x.no is not null),
      array_agg(x.made), bool_and(x.ok), bool_or(x.made), bool_or(not x.made)
    into s_no, s_version, s_after, s_shut, s_free, s_fresh, all_ok, any_fresh, any_moved
    from (
      select case when y.made then nextval(${sequence(of('event_stream_no'))}) else y.no end as no, y.version, y.shut, y.made, y.events,
        coalesce((y.made or y.no is not null) and y.shut is null
          and (y.expect = y.version or y.expect = ${EXPECT.any} or (y.expect = ${EXPECT.exists} and y.version > 0)), false) as ok
      from (
        select l.stream_no as no, l.shut, u.expect, u.events, case when l.stream_no is null or l.stream_no = any(s_made) then 0 else l.version end as version,
          l.stream_no is null and u.held and e.known is null as made
        from unnest(p_s_tenant, p_s_name, s_held, p_w_expect, p_w_events) u(tenant, name, held, expect, events) left join lateral (
          select t.stream_no, t.version, t.shut from ${of('event_stream')} t where t.stream = u.name and t.tenant = u.tenant for update skip locked
        ) l on true left join lateral (
          -- With a limit, since it would be made a scan of the whole table without one.
          select true as known from ${of('event_stream')} t where l.stream_no is null and t.stream = u.name and t.tenant = u.tenant limit 1
        ) e on true
        where u.name is not null
      ) y
    ) x;
  end if;
`

export const appendTags = ({ of, place }: Names): string => `
  if p_t_tag is not null then
    t_fresh := array_fill(false, array[cardinality(p_t_tag)]);
    select array_agg(l.tag_no), array_agg(l.last_position), array_agg(l.tag_no is not null) into t_no, t_last, t_free
    from unnest(p_t_tenant, p_t_tag) u(tenant, tag) left join lateral (
      select t.tag_no, t.last_position from ${of('event_tag')} t where t.tag = u.tag and t.tenant = u.tenant for update skip locked
    ) l on true;
    if false = any(t_free) then
      for i in 1 .. cardinality(p_t_tag) loop
        if not t_free[i] then
          t_fresh[i] := pg_catalog.pg_try_advisory_xact_lock(${nameLock('tag', place, 'p_t_tenant[i]', 'p_t_tag[i]')});
        end if;
      end loop;
      for k in
        select u.i from unnest(p_t_tenant, p_t_tag, t_fresh) with ordinality u(tenant, tag, fresh, i)
        join ${of('event_tag')} t on t.tag = u.tag and t.tenant = u.tenant where u.fresh
      loop
        t_fresh[k] := false;
      end loop;
      for i in 1 .. cardinality(p_t_tag) loop
        if t_fresh[i] then
          t_free[i] := true;
          t_last[i] := 0;
          t_no[i] := nextval(${sequence(of('event_tag_no'))});
        end if;
      end loop;
    end if;
  end if;
`

/**
 * Only a query all of whose tags have been written since is looked up, in the verdict. A condition on the whole log comes alone: what is there
 * is looked through before the log's lock is taken, and what came meanwhile after.
 */
export const appendConditions = ({ of, place }: Names): string => `
  if p_c_queries is not null then
    select l.head into head0 from ${of('event_log')} l;
    if p_qt_tag is not null then
      select array_agg(distinct p_q_request[q.query]) into suspects from (
        select u.query from unnest(p_qt_query, p_qt_tag) u(query, tag)
        group by u.query having min(coalesce(t_last[u.tag], 0)) > p_q_after[u.query]
      ) q;
    else
      found := ${of('event_since')}(p_c_tenant[1], p_c_after[1], head0);
      if found is null and r_status[1] = ${STATUS.ok} then
        perform pg_catalog.pg_advisory_xact_lock(${logLock(place)});
        locked := true;
        perform ${of('event_place')}(0);
        found := ${of('event_since')}(p_c_tenant[1], greatest(head0, p_c_after[1]), null);
      end if;
      if found is not null then suspects := array[1]; end if;
    end if;
  end if;
`
