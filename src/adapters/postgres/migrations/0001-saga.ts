import { dollars, literal, type Names } from '../names.ts'

/** A planner that has seen these tables small would keep a plan that reads them whole; what is looked up here has an index. */
const PLANS = `set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off`

export const sagaTables = ({ of, bare }: Names): string => `
create sequence ${of('saga_number')} as bigint cache 64;
create table ${of('saga')} (
  number bigint primary key, id text collate "C" not null, saga text not null, version bigint not null, definition_hash text not null,
  input_hash text not null, shard bigint not null, state text not null, ended boolean not null, seq bigint not null,
  started_ms numeric not null, updated_ms numeric not null
) with (fillfactor = 70);
create unique index ${bare('saga_id')} on ${of('saga')} (id);
create index ${bare('saga_open')} on ${of('saga')} (shard, id) where not ended;
create table ${of('saga_record')} (
  saga bigint not null, seq bigint not null, kind text not null, step text, at_ms numeric not null, data text not null,
  primary key (saga, seq)
);
create table ${of('saga_lease')} (shard bigint primary key, owner text, until timestamptz not null) with (fillfactor = 50);
create table ${of('saga_fence')} (shard bigint primary key, epoch bigint not null) with (fillfactor = 50);
`

/**
 * One batch, each id once. Verdicts, one letter each: o(k), x (exists), f(enced), c(onflict). The fences are held (FOR SHARE) from before the
 * sagas are looked at until the commit, so that no takeover comes between; fences, sagas and new ids are each locked in their order, and in
 * this one, so that no two batches wait for each other. Each statement sees what was committed while the one before it waited for its locks.
 */
export const sagaAppend = ({ of }: Names): string => `
create function ${of('saga_append')}(
  batch_id text, ids text[], sagas text[], versions bigint[], definitions text[], inputs text[], shards bigint[], states text[], ends boolean[],
  fence_shards bigint[], fence_epochs bigint[], first_seqs bigint[], last_seqs bigint[], started numeric[], updated numeric[],
  record_writes bigint[], record_seqs bigint[], kinds text[], steps text[], ats numeric[], datas text[]
) returns text language plpgsql ${PLANS} set lock_timeout = '5s' as ${dollars(`
declare
  verdicts text[];
  numbers bigint[];
  born bigint[];
begin
  perform 1 from ${of('saga_fence')} where shard = any (fence_shards) order by shard for share;
  perform 1 from ${of('saga')} where id = any (ids) order by id for no key update;

  select array_agg(judged.verdict order by ord), array_agg(case
      when judged.verdict <> 'o' then 0
      else coalesce(judged.number, nextval(${literal(of('saga_number'))}::regclass)) end order by ord)
    into verdicts, numbers
    from (
      select g.ord, s.number, case
        when g.saga is not null and s.number is not null then 'x'
        when g.saga is null and s.number is null then 'c'
        when g.fence_shard is null and g.saga is null then 'f'
        when g.fence_shard is not null and (g.fence_shard <> coalesce(s.shard, g.shard) or f.epoch is distinct from g.fence_epoch) then 'f'
        when g.first_seq <> coalesce(s.seq, 0) + 1 then 'c'
        else 'o' end as verdict
      from unnest(ids, sagas, shards, fence_shards, fence_epochs, first_seqs) with ordinality
        as g (id, saga, shard, fence_shard, fence_epoch, first_seq, ord)
      left join lateral (select number, shard, seq from ${of('saga')} where id = g.id offset 0) s on true
      left join lateral (select epoch from ${of('saga_fence')} where shard = g.fence_shard offset 0) f on true
    ) judged;

  if 'o' = any (verdicts) then
    with made as (
      insert into ${of('saga')} (number, id, saga, version, definition_hash, input_hash, shard, state, ended, seq, started_ms, updated_ms)
      select numbers[g.ord], g.id, g.saga, g.version, g.definition, g.input, g.shard, g.state, g.ended, g.seq, g.started, g.updated
      from unnest(ids, sagas, versions, definitions, inputs, shards, states, ends, last_seqs, started, updated) with ordinality
        as g (id, saga, version, definition, input, shard, state, ended, seq, started, updated, ord)
      where numbers[g.ord] > 0 and g.saga is not null
      order by g.id
      on conflict (id) do nothing
      returning number
    ) select array_agg(number) into born from made;

    -- Another process has created some of them while this one waited.
    for i in 1 .. cardinality(ids) loop
      if verdicts[i] = 'o' and sagas[i] is not null and not coalesce(numbers[i] = any (born), false) then
        verdicts[i] := 'x';
        numbers[i] := 0;
      end if;
    end loop;

    update ${of('saga')} s set state = g.state, ended = g.ended, seq = g.seq, updated_ms = g.updated
      from unnest(sagas, states, ends, last_seqs, updated) with ordinality as g (saga, state, ended, seq, updated, ord)
      where numbers[g.ord] > 0 and g.saga is null and s.number = numbers[g.ord];

    insert into ${of('saga_record')} (saga, seq, kind, step, at_ms, data)
      select numbers[r.write], r.seq, r.kind, r.step, r.at, r.data
      from unnest(record_writes, record_seqs, kinds, steps, ats, datas) as r (write, seq, kind, step, at, data)
      where numbers[r.write] > 0;

    insert into ${of('batch')} (id, verdicts) values (batch_id, array_to_string(verdicts, ''));
  end if;
  return array_to_string(verdicts, '');
end
`)};
`

/**
 * Leases are renewed in one table, fences change in another: a batch holds its fences, and a renewal must not wait for it. A takeover waits for
 * the batches that hold the fence; who is told of its epoch reads in a later statement, and so sees all that they wrote.
 */
export const sagaClaim = ({ of }: Names): string => `
create function ${of('saga_claim')}(who text, shard_count bigint, lease_ms double precision)
returns table (claimed bigint, under bigint) language plpgsql ${PLANS} set lock_timeout = '5s' as ${dollars(`
declare
  taken bigint[];
begin
  insert into ${of('saga_lease')} (shard, owner, until)
    select n, null, 'epoch' from generate_series(0, shard_count - 1) n
    where not exists (select 1 from ${of('saga_lease')} l where l.shard = n)
    order by n on conflict (shard) do nothing;
  perform 1 from ${of('saga_lease')} l where l.shard < shard_count order by l.shard for update;
  taken := array(
    select l.shard from ${of('saga_lease')} l
    where l.shard < shard_count and (l.owner is null or (l.owner <> who and l.until <= clock_timestamp())) order by l.shard
  );
  update ${of('saga_lease')} l set owner = who, until = clock_timestamp() + lease_ms * interval '1 millisecond'
    where l.shard < shard_count and (l.owner = who or l.shard = any (taken));
  insert into ${of('saga_fence')} as f (shard, epoch) select n, 1 from unnest(taken) n order by n
    on conflict (shard) do update set epoch = f.epoch + 1;
  return query select l.shard, f.epoch from ${of('saga_lease')} l join ${of('saga_fence')} f on f.shard = l.shard
    where l.shard < shard_count and l.owner = who order by l.shard;
end
`)};
`
