import { statSync } from 'node:fs'
import type { HoldfastError } from '../../core/errors.ts'
import { asNumber, asText, type Connection } from './connection.ts'
import { corrupt, unavailable } from './errors.ts'
import { MIGRATIONS, tablesOf, VERSION } from './migrations.ts'

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
    const sql = `select name from sqlite_schema where name in (${tablesOf()
      .map((name) => `'${name}'`)
      .join(', ')})`
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
  const expected = tablesOf(version)
  const missing = expected.filter((name) => !present.includes(name))
  if (missing.length > 0) throw foreign(`its table ${missing.join(', ')} is missing`)
  const early = present.filter((name) => !expected.includes(name))
  if (early.length > 0) throw foreign(`its schema version is ${version}, and it has a table ${early[0]} that holdfast did not make`)
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
    for (const { sql } of MIGRATIONS.slice(stored)) connection.exec(sql)
    connection.prepare("insert or replace into holdfast_meta (key, value) values ('schema', ?)").run(String(VERSION))
  })
}

function storedVersion(connection: Connection): number {
  const there = connection.prepare("select name from sqlite_schema where name = 'holdfast_meta'").get()
  if (there === undefined) return 0
  return Number(connection.prepare("select value from holdfast_meta where key = 'schema'").get()?.value)
}
