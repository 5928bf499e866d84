import type { Names } from '../../names.ts'
import { EXPECT, STATUS } from './status.ts'

/** In order of arrival: each request sees what was accepted before it. Whoever comes after one that has to wait, and shares something, waits too. */
export const appendVerdicts = (names: Names): string => `
  r_versions := array_fill(null::bigint, array[cardinality(p_w_stream)]);
  w_offset := array_fill(0::bigint, array[cardinality(p_w_stream)]);
  s_moved := array_fill(false, array[cardinality(p_s_name)]);
  r_end := array_fill(0::bigint, array[n]);
  r_last := array_fill(0, array[n]);
  any_fresh := false;
  any_moved := false;
  for i in 1 .. n loop
    status := r_status[i];
    first := w + 1;
    w := w + p_r_writes[i];
    r_last[i] := w;
    if p_r_tags is not null then
      first_tag := rt + 1;
      rt := rt + p_r_tags[i];
    end if;
    continue when status >= ${STATUS.duplicate};
${free}${unshut}${expected(names)}${conditioned(names)}
    r_status[i] := status;
    if status = ${STATUS.ok} then
      accepted := true;
      for j in first .. w loop
        k := p_w_stream[j];
        w_offset[j] := written;
        if p_w_events[j] > 0 then
          s_version[k] := s_version[k] + p_w_events[j];
          written := written + p_w_events[j];
          s_moved[k] := true;
          if s_fresh[k] then any_fresh := true; else any_moved := true; end if;
        end if;
        r_versions[j] := s_version[k];
      end loop;
      r_end[i] := written;
    elsif status <= ${STATUS.again} then
      for j in first .. w loop s_free[p_w_stream[j]] := false; end loop;
      if p_r_tags is not null then
        for j in first_tag .. rt loop t_free[p_rt_tag[j]] := false; end loop;
      end if;
    end if;
  end loop;
  if cardinality(more) > 0 then r_more := array_to_json(more); end if;
  if not accepted then
    if p_k_key is not null then select l.incarnation into r_incarnation from ${names.of('event_log')} l; end if;
    return;
  end if;
`

const free = `
    if status = ${STATUS.ok} then
      for j in first .. w loop
        if not s_free[p_w_stream[j]] then status := ${STATUS.busy}; exit; end if;
      end loop;
      if p_r_tags is not null then
        for j in first_tag .. rt loop
          if not t_free[p_rt_tag[j]] then status := ${STATUS.busy}; exit; end if;
        end loop;
      end if;
    end if;
    if status = ${STATUS.ok} and p_x_request is not null and exists (
      select from unnest(p_x_request, p_x_earlier) u(request, earlier) where u.request = i and r_status[u.earlier] = ${STATUS.ok}
    ) then
      status := ${STATUS.again};
    end if;`

const unshut = `
    if status = ${STATUS.ok} then
      for j in first .. w loop
        if s_shut[p_w_stream[j]] is not null then
          status := case s_shut[p_w_stream[j]] when 'archived' then ${STATUS.archived} else ${STATUS.tombstoned} end;
          more := more || json_build_object('i', i, 'write', j - first);
          exit;
        end if;
      end loop;
    end if;`

const expected = ({ of }: Names): string => `
    if status = ${STATUS.ok} then
      for j in first .. w loop
        k := p_w_stream[j];
        v := s_version[k];
        x := p_w_expect[j];
        if not (x = v or x = ${EXPECT.any} or (x = ${EXPECT.exists} and v > 0)) then
          if s_moved[k] then
            status := ${STATUS.again};
          else
            status := ${STATUS.streamConflict};
            more := more || json_build_object('i', i, 'write', j - first, 'actual', v, 'missed', ${of('event_after')}(s_no[k], greatest(x, 0)));
          end if;
          exit;
        end if;
      end loop;
    end if;`

const conditioned = ({ of }: Names): string => `
    if status = ${STATUS.ok} and p_c_queries is not null and p_c_queries[i] is not null then
      if p_c_after[i] > head0 then
        status := ${STATUS.logReset};
        more := more || json_build_object('i', i, 'head', head0::text);
      elsif i = any(suspects) then
        if p_qt_tag is not null then found := ${of('event_matching')}(p_c_tenant[i], p_c_queries[i]::jsonb, p_c_after[i]); end if;
        if found is not null then
          status := ${STATUS.conditionConflict};
          more := more || json_build_object('i', i, 'missed', found);
        end if;
      end if;
    end if;`
