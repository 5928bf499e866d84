import type { Names } from '../../names.ts'
import { logLock } from './locks.ts'
import { NOT_PLACED, STATUS } from './status.ts'
import { onThisTimeline } from './timeline.ts'

/** The rows of streams are written before the log's lock is taken, what has a position after. Nothing is waited for once it is held. */
export const appendWrites = (names: Names): string =>
  `${streams(names)}
  if p_joined then
${pending(names)}
  else
${placed(names)}
  end if;
${tags(names)}${keys(names)}
  if not p_joined and (written > 0 or p_k_key is not null) then
    insert into ${names.of('event_batch')} (id, at, status, versions, base) values (p_batch, clock_timestamp(), r_status, r_versions, r_base);
  end if;`

const streams = ({ of }: Names): string => `
  if any_moved then
    update ${of('event_stream')} t set version = u.version
    from unnest(s_no, s_version, s_moved, s_fresh) u(no, version, moved, fresh)
    where t.stream_no = u.no and u.moved and not u.fresh;
  end if;
  if any_fresh then
    insert into ${of('event_stream')} (stream_no, tenant, stream, version)
    select u.no, u.tenant, u.name, u.version from unnest(s_no, p_s_tenant, p_s_name, s_version, s_moved, s_fresh)
      u(no, tenant, name, version, moved, fresh)
    where u.moved and u.fresh;
  end if;`

/** In a transaction of the user's: no place yet, and for the last one its key, which is told the place. */
const pending = ({ of }: Names): string => `
    select l.head, l.incarnation into r_base, r_incarnation from ${of('event_log')} l;
    if written > 0 then
      r_base := null;
      insert into ${of('event_pending')} (stream_no, version, recorded_ms, tenant, stream, type, id, tags, data, metadata, key)
      select ${EVENT_VALUES}, case when e.i = cardinality(p_e_write) then p_k_key[1] end
      from ${EVENTS} order by e.i;
      select json_build_array(json_build_object('i', 1, 'no', s_no[p_w_stream[e.w]]::text, 'version', ${VERSION})) into r_more
      from ${EVENTS} order by e.i desc limit 1;
    end if;`

const placed = (names: Names): string => {
  const { of, place } = names
  return `
    if written = 0 then
      select l.head, l.incarnation into r_base, r_incarnation from ${of('event_log')} l;
    else
      if not locked then
        perform pg_catalog.pg_advisory_xact_lock(${logLock(place)});
      end if;
${draw(names)}      insert into ${of('event')} (position, stream_no, version, recorded_ms, tenant, stream, type, id, tags, data, metadata)
      select r_base + w_offset[e.w] + e.nth, ${EVENT_VALUES} from ${EVENTS};
    end if;`
}

/** Under the log's lock: `written` positions from `r_base` on, behind joined events that have none yet. */
export const draw = (names: Names): string => {
  const { of } = names
  return `      update ${of('event_log')} l set head = l.head + written
      returning l.head - written, l.incarnation, l.timeline, exists (select from ${of('event_pending')})
      into r_base, r_incarnation, timeline_was, pending;
      if pending then
        r_base := r_base + ${of('event_place')}(written);
      end if;${onThisTimeline(names)}`
}

const EVENTS = `unnest(p_e_write, p_e_nth, p_e_type, p_e_id, p_e_tags, p_e_data, p_e_metadata) with ordinality
        e(w, nth, type, id, tags, data, metadata, i) where r_versions[e.w] is not null`

const VERSION = 'r_versions[e.w] - p_w_events[e.w] + e.nth'

const EVENT_VALUES = `s_no[p_w_stream[e.w]], ${VERSION}, now_ms, p_s_tenant[p_w_stream[e.w]], p_s_name[p_w_stream[e.w]],
        e.type, e.id, e.tags::text[], e.data::json, e.metadata::json`

/** Every write to a tag changes its row: what a snapshot of the user's that is older cannot overlook. */
const tags = ({ of }: Names): string => `
  if p_et_tag is not null and written > 0 then
    if not p_joined then
      insert into ${of('event_tagged')} (tag_no, position) select t_no[u.tag], ${POSITION} from ${TAGGED};
    end if;
    update ${of('event_tag')} t set last_position = u.last, events = t.events + u.events
    from (select u.tag, ${LAST}, count(*) events from ${TAGGED} group by u.tag) u
    where t.tag_no = t_no[u.tag] and not t_fresh[u.tag];
    if true = any(t_fresh) then
      insert into ${of('event_tag')} (tag_no, tenant, tag, last_position, events)
      select t_no[u.tag], p_t_tenant[u.tag], p_t_tag[u.tag], ${LAST}, count(*) from ${TAGGED} and t_fresh[u.tag] group by u.tag;
    end if;
  end if;`

const POSITION = 'r_base + w_offset[p_e_write[u.event]] + p_e_nth[u.event]'
const LAST = `case when p_joined then ${NOT_PLACED} else max(${POSITION}) end as last`
const TAGGED = 'unnest(p_et_event, p_et_tag) u(event, tag) where r_versions[p_e_write[u.event]] is not null'

const keys = ({ of }: Names): string => `
  if p_k_key is not null then
    insert into ${of('event_key')} (tenant, key, hash, versions, position, stream_no, version, at)
    select u.tenant, u.key, u.hash, r_versions[r_last[u.request] - p_r_writes[u.request] + 1 : r_last[u.request]],
      r_base + r_end[u.request], (r_more -> 0 ->> 'no')::bigint, (r_more -> 0 ->> 'version')::bigint, clock_timestamp()
    from unnest(p_k_request, p_k_tenant, p_k_key, p_k_hash) u(request, tenant, key, hash)
    where r_status[u.request] = ${STATUS.ok};
  end if;`
