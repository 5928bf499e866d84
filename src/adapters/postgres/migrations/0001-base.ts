import { batchFunctions } from './0001-batch.ts'
import { sagaAppend, sagaClaim, sagaTables } from './0001-saga.ts'
import type { Migration } from './migration.ts'

/**
 * Key-value, leases, checkpoints, sagas. Texts that users name or fill are kept by `escapes.ts`, in the order of their bytes (collation C).
 * Times of ours are the server's; those of records are the writer's, NUMERIC so that no setting of the connection rounds them.
 */
export const base: Migration = {
  version: 1,
  name: 'key-value, leases, checkpoints, sagas',
  sql: (names) => {
    const { of, bare } = names
    return `
create sequence ${of('revision')} as bigint;
create table ${of('key_value')} (
  key text collate "C" primary key, value text not null, revision bigint not null, until timestamptz, xid bigint not null
);
create index ${bare('key_value_xid')} on ${of('key_value')} (xid);
create index ${bare('key_value_until')} on ${of('key_value')} (until) where until is not null;
create table ${of('hint')} (topic text primary key, number bigint not null) with (fillfactor = 50);
create table ${of('lease')} (
  name text collate "C" primary key, owner text, token bigint not null, until timestamptz not null
) with (fillfactor = 50);
create table ${of('checkpoint')} (
  name text collate "C" primary key, position bigint not null, incarnation text not null, token bigint not null, updated timestamptz not null
) with (fillfactor = 50);
${sagaTables(names)}${batchFunctions(names)}${sagaAppend(names)}${sagaClaim(names)}`
  },
}
