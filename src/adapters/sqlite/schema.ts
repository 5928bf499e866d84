import { statSync } from 'node:fs'
import type { HoldfastError } from '../../core/errors.ts'
import { asNumber, asText, type Connection } from './connection.ts'
import { corrupt, unavailable } from './errors.ts'

/**
 * What each schema version adds. Records stand in the order they were written (a rowid), because a (text id, seq) key makes batches half as
 * fast; the index by saga costs little, since the sagas in flight stand close together. Epoch milliseconds are REAL to keep fractions.
 */
const MIGRATIONS: readonly string[] = [
  `
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
]
const TABLES = ['holdfast_meta', 'holdfast_saga', 'holdfast_saga_record', 'holdfast_lease']
/** What this version writes. */
export const VERSION = MIGRATIONS.length

/**
 * A log that outlived its database: SQLite would throw it away on opening, and with it what only it holds. Only `stat` may touch the
 * files: closing a file descriptor of the database would drop this process's locks on it.
 */
export function checkFiles(path: string): void {
  const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0
  if (sizeOf(path) === 0 && sizeOf(`${path}-wal`) > 0)
    throw corrupt(path, `the database is missing or empty, but its log ${path}-wal is not; restore the one or remove the other`)
}

/** Reads only: whatever is not ours, not whole or not known stays as it is. Returns the schema version, 0 where there is none yet. */
export function inspect(connection: Connection, checkedMaxBytes: number): number {
  return connection.read(() => {
    const sql = `select name from sqlite_schema where name in (${TABLES.map((name) => `'${name}'`).join(', ')})`
    const present = connection
      .prepare(sql)
      .all()
      .map((row) => asText(row.name))
    const encoding = asText(connection.prepare('pragma encoding').get()?.encoding)
    if (encoding !== 'UTF-8') throw unavailable(connection.place, `its text is ${encoding}, not UTF-8`, { retry: 'never' })
    checkPages(connection, checkedMaxBytes)
    return present.length === 0 ? 0 : versionOf(connection, present)
  })
}

function versionOf(connection: Connection, present: readonly string[]): number {
  const foreign = (reason: string) => corrupt(connection.place, reason)
  if (!present.includes('holdfast_meta')) throw foreign(`it has a table ${present[0]} that holdfast did not make`)
  const rows = connection.prepare('select key, value from holdfast_meta').all()
  const meta = new Map(rows.map((row) => [asText(row.key), asText(row.value)]))
  if (meta.get('application') !== 'holdfast') throw foreign('it has a table holdfast_meta that holdfast did not make')
  const version = Number(meta.get('schema'))
  if (!Number.isSafeInteger(version) || version < 1) throw foreign(`its schema version is ${meta.get('schema') ?? 'missing'}`)
  if (version > VERSION) throw newer(connection, version)
  const missing = TABLES.filter((name) => !present.includes(name))
  if (missing.length > 0) throw foreign(`its table ${missing.join(', ')} is missing`)
  return version
}

const newer = (connection: Connection, version: number): HoldfastError =>
  corrupt(connection.place, `a newer version of holdfast wrote it (schema ${version}, this one knows ${VERSION})`)

function checkPages(connection: Connection, checkedMaxBytes: number): void {
  const pages = asNumber(connection.prepare('pragma page_count').get()?.page_count)
  const pageBytes = asNumber(connection.prepare('pragma page_size').get()?.page_size)
  if (pages * pageBytes > checkedMaxBytes) return
  const found = asText(connection.prepare('pragma quick_check(1)').get()?.quick_check)
  if (found !== 'ok') throw corrupt(connection.place, `its pages are damaged: ${found.replace(/\s*\n\s*/g, ' ')}`)
}

/** Writes even when there is nothing to do, so that a file that cannot be written is refused now and not at the first saga. */
export function migrate(connection: Connection): void {
  connection.write(() => {
    // Read again: another process, of another version too, may have come between.
    const stored = storedVersion(connection)
    if (stored > VERSION) throw newer(connection, stored)
    for (const sql of MIGRATIONS.slice(stored)) connection.exec(sql)
    connection.prepare("insert or replace into holdfast_meta (key, value) values ('schema', ?)").run(String(VERSION))
  })
}

function storedVersion(connection: Connection): number {
  const there = connection.prepare("select name from sqlite_schema where name = 'holdfast_meta'").get()
  if (there === undefined) return 0
  return Number(connection.prepare("select value from holdfast_meta where key = 'schema'").get()?.value)
}
