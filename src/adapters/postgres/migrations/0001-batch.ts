import { dollars, type Names } from '../names.ts'

/**
 * What became of a batch whose connection was lost. Every batch that writes leaves a row with its verdicts in its own transaction. Whoever asks
 * does not look for it, because the batch may still be about to commit: it takes the id. Where that succeeds the batch has not committed
 * and never will (its own row would be the second); where it fails, the row says what was answered. The row is locked, which is a write: so
 * the answer, too, comes only when a synchronous standby has all that was written before it.
 */
export const batchFunctions = ({ of }: Names): string => `
create table ${of('batch')} (
  id text collate "C" primary key, verdicts text, at timestamptz not null default pg_catalog.clock_timestamp()
);
create function ${of('batch_claim')}(batch_id text) returns text language plpgsql set lock_timeout = '2s' as ${dollars(`
declare
  answer text;
begin
  insert into ${of('batch')} (id) values (batch_id) on conflict (id) do nothing;
  if found then
    return 'lost';
  end if;
  select coalesce('kept ' || verdicts, 'lost') into answer from ${of('batch')} where id = batch_id for update;
  return answer;
end
`)};
create function ${of('batch_prune')}() returns bigint language plpgsql set lock_timeout = '2s' as ${dollars(`
declare
  pruned bigint;
begin
  -- Answered batches are asked about within a minute. What was taken stays longer than any statement could hang.
  with old as (
    select id from ${of('batch')} where at < pg_catalog.clock_timestamp() - interval '15 minutes' and verdicts is not null
    union all
    select id from ${of('batch')} where at < pg_catalog.clock_timestamp() - interval '3 days' and verdicts is null
    limit 20000
  )
  delete from ${of('batch')} where id in (select id from old);
  get diagnostics pruned = row_count;
  return pruned;
end
`)};
`
