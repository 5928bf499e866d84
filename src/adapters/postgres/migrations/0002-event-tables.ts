import type { Migration } from './migration.ts'

/**
 * Streams, the log, and what is kept beside them. Whatever takes a lock for longer than a statement is a row here, or a name's advisory
 * lock where there is no row yet. Positions are drawn from `event_log`, by whoever holds the log's lock.
 */
export const eventTables: Migration = {
  version: 2,
  name: 'events: tables',
  sql: ({ of, bare }) => `
create table ${of('event_log')} (
  one boolean primary key default true check (one), head bigint not null, incarnation text not null,
  system text not null, timeline text not null
);
insert into ${of('event_log')} (head, incarnation, system, timeline) values (0, pg_catalog.gen_random_uuid()::text, '', '');
create sequence ${of('event_stream_no')} as bigint;
create table ${of('event_stream')} (
  stream_no bigint primary key, tenant text collate "C" not null, stream text collate "C" not null, version bigint not null, shut text
) with (fillfactor = 80);
create unique index ${bare('event_stream_name')} on ${of('event_stream')} (stream, tenant);
create table ${of('event')} (
  position bigint primary key, stream_no bigint not null, version bigint not null, recorded_ms bigint not null,
  tenant text collate "C" not null, stream text collate "C" not null, type text collate "C" not null, id text not null,
  tags text[] collate "C", data json not null, metadata json not null
);
create unique index ${bare('event_version')} on ${of('event')} (stream_no, version);
create table ${of('event_archived')} (like ${of('event')}, primary key (stream_no, version));
create table ${of('event_pending')} (
  seq bigint generated always as identity primary key, stream_no bigint not null, version bigint not null, recorded_ms bigint not null,
  tenant text collate "C" not null, stream text collate "C" not null, type text collate "C" not null, id text not null,
  tags text[] collate "C", data json not null, metadata json not null, key text collate "C"
);
create unique index ${bare('event_pending_version')} on ${of('event_pending')} (stream_no, version);
create sequence ${of('event_tag_no')} as bigint;
create table ${of('event_tag')} (
  tag_no bigint primary key, tenant text collate "C" not null, tag text collate "C" not null, last_position bigint not null, events bigint not null
) with (fillfactor = 80);
create unique index ${bare('event_tag_name')} on ${of('event_tag')} (tag, tenant);
create table ${of('event_tagged')} (tag_no bigint not null, position bigint not null, primary key (tag_no, position));
create table ${of('event_key')} (
  tenant text collate "C" not null, key text collate "C" not null, hash text not null, versions bigint[] not null,
  position bigint, stream_no bigint, version bigint, at timestamptz not null, primary key (key, tenant)
);
create index ${bare('event_key_at')} on ${of('event_key')} (at);
create table ${of('event_batch')} (
  id uuid primary key, at timestamptz not null, status int[], versions bigint[], base bigint
);
create index ${bare('event_batch_at')} on ${of('event_batch')} (at);`,
}
