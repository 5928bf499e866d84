/** What one schema version adds to the one before. */
export interface Migration {
  readonly tables: readonly string[]
  readonly sql: string
}

/**
 * Sagas. Records stand in the order they were written (a rowid), because a (text id, seq) key makes batches half as fast; the index by saga
 * costs little, since the sagas in flight stand close together. Epoch milliseconds are REAL to keep fractions.
 */
const sagas: Migration = {
  tables: ['holdfast_meta', 'holdfast_saga', 'holdfast_saga_record', 'holdfast_lease'],
  sql: `
  create table holdfast_meta (key text primary key, value text not null) strict, without rowid;
  create table holdfast_saga (
    number integer primary key, id text not null, saga text not null, version integer not null, definition_hash text not null,
    input_hash text not null, shard integer not null, state text not null, ended integer not null, seq integer not null,
    started_ms real not null, updated_ms real not null
  ) strict;
  create unique index holdfast_saga_id on holdfast_saga (id);
  create index holdfast_saga_open on holdfast_saga (shard, id) where ended = 0;
  create table holdfast_saga_record (
    position integer primary key, saga integer not null, seq integer not null, kind text not null, step text, at_ms real not null,
    data text not null
  ) strict;
  create unique index holdfast_saga_record_seq on holdfast_saga_record (saga, seq);
  create table holdfast_lease (
    shard integer primary key, owner text, holder text not null, until_ms real not null, lease_ms real not null, epoch integer not null
  ) strict;
  insert into holdfast_meta (key, value) values ('application', 'holdfast');
  `,
}

/**
 * Events, keys, names, hints, checkpoints. An event's place in the log is its rowid, so that appending and reading on go from page to page; what
 * is short stands before what is long, so that a filter never reads a long row to its end. Keys of appends and gone keys have rising
 * numbers, so that the oldest are found without an index by time.
 */
const events: Migration = {
  tables: [
    'holdfast_counter',
    'holdfast_stream',
    'holdfast_event_type',
    'holdfast_event',
    'holdfast_event_tag',
    'holdfast_append_key',
    'holdfast_key_value',
    'holdfast_key_gone',
    'holdfast_name',
    'holdfast_hint',
    'holdfast_checkpoint',
  ],
  sql: `
  create table holdfast_counter (name text primary key, value integer not null) strict, without rowid;
  insert into holdfast_counter (name, value) values ('position', 0), ('revision', 0), ('revision_gone', 0), ('token', 0), ('hint', 0);
  create table holdfast_stream (
    number integer primary key, tenant text not null, name text not null, version integer not null, kept_from integer not null,
    state integer not null, to_purge integer not null
  ) strict;
  create unique index holdfast_stream_name on holdfast_stream (tenant, name);
  create index holdfast_stream_purge on holdfast_stream (number) where to_purge = 1;
  create table holdfast_event_type (number integer primary key, name text not null unique) strict;
  create table holdfast_event (
    position integer primary key, stream integer not null, version integer not null, type integer not null, size integer not null,
    recorded_ms real not null, id text not null, tags text not null, metadata text not null, data text not null
  ) strict;
  create unique index holdfast_event_version on holdfast_event (stream, version);
  create table holdfast_event_tag (
    tenant text not null, tag text not null, position integer not null, primary key (tenant, tag, position)
  ) strict, without rowid;
  create table holdfast_append_key (
    number integer primary key, tenant text not null, key text not null, hash text not null, versions text not null,
    position integer not null, mark text, recorded_ms real not null
  ) strict;
  create unique index holdfast_append_key_key on holdfast_append_key (tenant, key);
  create table holdfast_key_value (
    number integer primary key, key text not null, value text not null, revision integer not null, until_ms real
  ) strict;
  create unique index holdfast_key_value_key on holdfast_key_value (key);
  create unique index holdfast_key_value_revision on holdfast_key_value (revision);
  create index holdfast_key_value_until on holdfast_key_value (until_ms) where until_ms is not null;
  create table holdfast_key_gone (revision integer primary key, key text not null, gone_ms real not null) strict;
  create table holdfast_name (name text primary key, owner text not null, token integer not null, until_ms real not null) strict, without rowid;
  create index holdfast_name_until on holdfast_name (until_ms);
  create table holdfast_hint (topic text primary key, number integer not null, hinted_ms real not null) strict, without rowid;
  create table holdfast_checkpoint (
    name text primary key, position integer not null, incarnation text not null, token integer not null, updated_ms real not null
  ) strict, without rowid;
  insert into holdfast_meta (key, value) values ('incarnation', lower(hex(randomblob(8))));
  `,
}

export const MIGRATIONS: readonly Migration[] = [sagas, events]
/** What this version writes. */
export const VERSION = MIGRATIONS.length
/** The tables that a schema of that version has; by default all there are. */
export const tablesOf = (version = VERSION): string[] => MIGRATIONS.slice(0, version).flatMap(({ tables }) => tables)
