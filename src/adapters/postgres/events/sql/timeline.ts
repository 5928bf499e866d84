import type { Names } from '../../names.ts'

/**
 * Under the log's lock: on another timeline than before, after a failover or a restore, positions may be given a second time, so the log takes
 * another incarnation. Empty where the server does not tell its timeline.
 */
export const onThisTimeline = ({ of }: Names): string => `
  if timeline_was <> '' then
    timeline_now := substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8);
    if timeline_now <> timeline_was then
      update ${of('event_log')} l set incarnation = gen_random_uuid()::text, timeline = timeline_now returning l.incarnation into r_incarnation;
    end if;
  end if;`
