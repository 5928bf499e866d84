import { literal, type Place } from '../../names.ts'
import { SETTINGS } from './settings.ts'

/** The advisory lock of the log: it is given in the order in which it was asked for, which a row lock is not. */
export const logLock = (place: Place): string => `pg_catalog.hashtextextended(${seedOf('log', place)}, 0)`

const seedOf = (what: string, { schema, prefix }: Place): string => literal(`holdfast ${what} ${schema} ${prefix}`)

/** The advisory lock of a name that has no row yet; a collision makes two names wait for each other, nothing else. */
export function nameLock(what: 'stream' | 'tag' | 'key', place: Place, tenant: string, name: string): string {
  return `pg_catalog.hashtextextended(${name}, pg_catalog.hashtextextended(${tenant}, pg_catalog.hashtextextended(${seedOf(what, place)}, 0)))`
}

/** Waits for whatever a request needs, always in the same order: keys, streams, tags, each sorted. Names without a row by their advisory lock. */
export const eventLocks = (of: (name: string) => string, place: Place): string => `
create function ${of('event_hold')}(
  p_k_tenant text[], p_k_key text[], p_s_tenant text[], p_s_name text[], p_t_tenant text[], p_t_tag text[]
) returns void language plpgsql volatile ${SETTINGS} as $body$
begin
  for i in 1 .. coalesce(cardinality(p_k_key), 0) loop
    perform pg_catalog.pg_advisory_xact_lock(${nameLock('key', place, 'p_k_tenant[i]', 'p_k_key[i]')});
  end loop;
  for i in 1 .. cardinality(p_s_name) loop
    perform 1 from ${of('event_stream')} t where t.stream = p_s_name[i] and t.tenant = p_s_tenant[i] for update;
    if not found then
      perform pg_catalog.pg_advisory_xact_lock(${nameLock('stream', place, 'p_s_tenant[i]', 'p_s_name[i]')});
      perform 1 from ${of('event_stream')} t where t.stream = p_s_name[i] and t.tenant = p_s_tenant[i] for update;
    end if;
  end loop;
  for i in 1 .. coalesce(cardinality(p_t_tag), 0) loop
    perform 1 from ${of('event_tag')} t where t.tag = p_t_tag[i] and t.tenant = p_t_tenant[i] for update;
    if not found then
      perform pg_catalog.pg_advisory_xact_lock(${nameLock('tag', place, 'p_t_tenant[i]', 'p_t_tag[i]')});
      perform 1 from ${of('event_tag')} t where t.tag = p_t_tag[i] and t.tenant = p_t_tenant[i] for update;
    end if;
  end loop;
end $body$;`

export const sequence = (name: string): string => `${literal(name)}::pg_catalog.regclass`
