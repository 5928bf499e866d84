import type { Names } from '../../names.ts'
import { appendConditions, appendKeys, appendStreams, appendTags } from './append-locks.ts'
import { appendVerdicts } from './append-verdicts.ts'
import { appendWrites } from './append-writes.ts'
import { SETTINGS } from './settings.ts'
import { STATUS } from './status.ts'

/** In this order they are bound. Lists are flat: a place in another list counts from 1. */
export const APPEND_PARAMETERS = [
  ['p_batch', 'uuid'],
  ['p_wait_ms', 'int'],
  ['p_s_tenant', 'text[]'],
  ['p_s_name', 'text[]'],
  ['p_plain', 'boolean'],
  ['p_r_writes', 'int[]'],
  ['p_w_stream', 'int[]'],
  ['p_w_expect', 'bigint[]'],
  ['p_w_events', 'int[]'],
  ['p_w_offset', 'bigint[]'],
  ['p_e_write', 'int[]'],
  ['p_e_nth', 'int[]'],
  ['p_e_type', 'text[]'],
  ['p_e_id', 'text[]'],
  ['p_e_data', 'text[]'],
  ['p_e_metadata', 'text[]'],
  ['p_e_tags', 'text[]'],
  ['p_k_request', 'int[]'],
  ['p_k_tenant', 'text[]'],
  ['p_k_key', 'text[]'],
  ['p_k_hash', 'text[]'],
  ['p_t_tenant', 'text[]'],
  ['p_t_tag', 'text[]'],
  ['p_r_tags', 'int[]'],
  ['p_rt_tag', 'int[]'],
  ['p_et_event', 'int[]'],
  ['p_et_tag', 'int[]'],
  ['p_q_request', 'int[]'],
  ['p_q_after', 'bigint[]'],
  ['p_qt_query', 'int[]'],
  ['p_qt_tag', 'int[]'],
  ['p_c_tenant', 'text[]'],
  ['p_c_queries', 'text[]'],
  ['p_c_after', 'bigint[]'],
  ['p_x_request', 'int[]'],
  ['p_x_earlier', 'int[]'],
] as const

const SIGNATURE = APPEND_PARAMETERS.map(([name, type]) => `${name} ${type}`).join(', ')
const RESULT = 'out r_status int[], out r_versions bigint[], out r_base bigint, out r_incarnation text, out r_more json'

/**
 * Decides a batch of requests in their order and writes what is accepted: one call, one transaction.
 *
 * After each lock what it guards is read in a new statement. So the function is VOLATILE and refuses a snapshot that outlives a statement,
 * except in a user's own transaction, where the engine itself reports the lost race.
 */
export const appendFunction = (names: Names): string => `
create function ${names.of('event_append')}(p_joined boolean, ${SIGNATURE}, ${RESULT})
language plpgsql volatile ${SETTINGS} as $body$
declare
  n constant int := cardinality(p_r_writes);
  now_ms constant bigint := (extract(epoch from clock_timestamp()) * 1000)::bigint;
  s_made bigint[] := '{}'; s_no bigint[]; s_version bigint[]; s_after bigint[]; s_shut text[]; s_free boolean[]; s_held boolean[]; s_fresh boolean[]; s_moved boolean[];
  any_fresh boolean := false; any_moved boolean := false; all_ok boolean;
  t_no bigint[]; t_last bigint[]; t_free boolean[]; t_fresh boolean[];
  w_offset bigint[]; r_end bigint[]; r_last int[];
  suspects int[]; more json[] := '{}'; found json;
  status int; written bigint := 0; w int := 0; rt int := 0; first int; first_tag int; k int; v bigint; x bigint;
  head0 bigint; pending boolean; timeline_now text; timeline_was text; locked boolean := false; accepted boolean := false;
begin
  r_status := array_fill(${STATUS.ok}, array[n]);
  if not p_joined and current_setting('transaction_isolation') <> 'read committed' then
    r_incarnation := '${NOT_READ_COMMITTED}';
    return;
  end if;
  if p_wait_ms > 0 then
    perform set_config('lock_timeout', p_wait_ms::text, true);
    perform ${names.of('event_hold')}(p_k_tenant, p_k_key, p_s_tenant, p_s_name, p_t_tenant, p_t_tag);
  end if;
${appendKeys(names)}${appendStreams(names)}
  if p_plain and all_ok then
    -- Each request has a stream of its own and may write: they are not gone through one by one.
    s_version := s_after;
    r_versions := s_after;
    w_offset := p_w_offset;
    s_moved := array_fill(true, array[n]);
    written := p_w_offset[n] + p_w_events[n];
  else
${appendTags(names)}${appendConditions(names)}${appendVerdicts(names)}
  end if;
${appendWrites(names)}
end $body$;`

/** In place of an incarnation: nothing was done, the session's default isolation has to be overruled by a BEGIN. */
export const NOT_READ_COMMITTED = 'isolation'

/**
 * The same inside a transaction of the user's: waits for what it needs, holds it to the end, leaves the log alone. What it cannot have in time
 * is an answer, not an error that would end the transaction.
 */
export const joinFunction = ({ of }: Names): string => `
create function ${of('event_join')}(${SIGNATURE}, ${RESULT}) language plpgsql volatile ${SETTINGS} as $body$
declare
  lock_timeout_was constant text := current_setting('lock_timeout');
begin
  begin
    select a.r_status, a.r_versions, a.r_base, a.r_incarnation, a.r_more into r_status, r_versions, r_base, r_incarnation, r_more
    from ${of('event_append')}(true, ${APPEND_PARAMETERS.map(([name]) => name).join(', ')}) a;
  exception
    when lock_not_available or deadlock_detected then
      r_status := array[${STATUS.busy}];
    when unique_violation then
      -- A row that this transaction's snapshot does not see.
      raise exception using errcode = 'serialization_failure', message = 'could not serialize access due to a concurrent append';
  end;
  perform set_config('lock_timeout', lock_timeout_was, true);
end $body$;`
