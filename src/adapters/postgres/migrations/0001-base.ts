import type { Migration } from './migration.ts'

/**
 * Key-value, leases, checkpoints, sagas. Texts that users name or fill are kept by `escapes.ts`, in the order of their bytes (collation C).
 * Times of ours are the server's; those of records are the writer's, NUMERIC so that no setting of the connection rounds them.
 */
export const base: Migration = {
  version: 1,
  name: 'key-value, leases, checkpoints, sagas',
  sql: ({ of, bare }) => `
create sequence ${of('revision')} as bigint;
create table ${of('key_value')} (
  key text collate "C" primary key, value text not null, revision bigint not null, until timestamptz, gone boolean not null default false
);
create index ${bare('key_value_until')} on ${of('key_value')} (until) where until is not null;
create table ${of('lease')} (
  name text collate "C" primary key, owner text, token bigint not null, until timestamptz not null
) with (fillfactor = 50);
create table ${of('checkpoint')} (
  name text collate "C" primary key, position bigint not null, incarnation text not null, token bigint not null, updated timestamptz not null
) with (fillfactor = 50);
create table ${of('saga')} (
  number bigint generated always as identity primary key, id text collate "C" not null, saga text not null, version bigint not null,
  definition_hash text not null, input_hash text not null, shard bigint not null, state text not null, ended boolean not null,
  seq bigint not null, started_ms numeric not null, updated_ms numeric not null
) with (fillfactor = 70);
create unique index ${bare('saga_id')} on ${of('saga')} (id);
create index ${bare('saga_open')} on ${of('saga')} (shard, id) where not ended;
create table ${of('saga_record')} (
  saga bigint not null, seq bigint not null, kind text not null, step text, at_ms numeric not null, data text not null,
  primary key (saga, seq)
);
create table ${of('saga_lease')} (
  shard bigint primary key, owner text, until timestamptz not null
) with (fillfactor = 50);
create table ${of('saga_fence')} (
  shard bigint primary key, epoch bigint not null
) with (fillfactor = 50);
create table ${of('batch')} (
  id text primary key, verdicts text, at timestamptz not null default clock_timestamp()
);
create index ${bare('batch_at')} on ${of('batch')} (at);
`,
}
