import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { sqliteStorage } from '../../../src/adapters/sqlite/index.ts'
import { MIGRATIONS, tablesOf } from '../../../src/adapters/sqlite/migrations.ts'
import { HoldfastError } from '../../../src/core/errors.ts'
import { creation } from '../../../src/testing/contracts/journal-store.ts'
import { describeWith } from '../../support/services.ts'
import { type Driver, drivers, inFolder, openHandle, withStorage } from './support.ts'

/** The tables of sagas as they were first made. */
const VERSION_1 = (MIGRATIONS[0]?.sql ?? '').replace(/create table holdfast_meta[^;]*;|insert into holdfast_meta[^;]*;/g, '')

/** Opens, expects a refusal, and that the file is the same byte for byte. */
async function refused(path: string, driver: Driver, checkedMaxBytes?: number): Promise<HoldfastError> {
  const before = readFileSync(path)
  const error = await opening(path, driver, checkedMaxBytes)
  expect(readFileSync(path).equals(before), 'unchanged').toBe(true)
  expect(error).toMatchObject({ effect: 'none', details: { place: path } })
  return error
}

async function opening(path: string, driver: Driver, checkedMaxBytes = 1024 ** 2): Promise<HoldfastError> {
  const storage = sqliteStorage(path, { driver, checkedMaxBytes, lockedMaxMs: 0 })
  const error = await storage.open().then(
    () => undefined,
    (e: unknown) => e,
  )
  await storage.close()
  if (!(error instanceof HoldfastError)) throw new Error(`expected a refusal, got ${String(error)}`)
  return error
}

function database(path: string, driver: Driver, sql: string): void {
  const handle = openHandle(driver, path)
  handle.exec(sql)
  handle.close()
}

async function filled(path: string, driver: Driver): Promise<void> {
  await withStorage(path, { driver, durability: 'normal' }, async ({ sagaJournal }) => {
    for (let n = 0; n < 40; n++) await sagaJournal.append([creation(`saga ${n}`, { definitionHash: 'd'.repeat(500) })])
  })
  expect(statSync(path).size).toBeGreaterThan(16 * 1024)
}

for (const driver of drivers.filter((name) => name !== 'better-sqlite3')) {
  describeWith(driver, `${driver} refuses, and changes nothing of,`, () => {
    test('a file that is no database', async () => {
      await inFolder(async (at) => {
        writeFileSync(at('notes.txt'), 'These are notes, and not a database at all. '.repeat(200))
        const error = await refused(at('notes.txt'), driver)
        expect(error).toMatchObject({ code: 'STORAGE_CORRUPT', retry: 'never', message: expect.stringContaining(at('notes.txt')) })
      })
    })

    test('a database that is cut short', async () => {
      await inFolder(async (at) => {
        await filled(at('saga.db'), driver)
        writeFileSync(at('cut.db'), readFileSync(at('saga.db')).subarray(0, 12_000))
        expect(await refused(at('cut.db'), driver)).toMatchObject({ code: 'STORAGE_CORRUPT' })
        expect(await refused(at('cut.db'), driver, 0)).toMatchObject({ code: 'STORAGE_CORRUPT' })
      })
    })

    test('a database with a damaged page', async () => {
      await inFolder(async (at) => {
        await filled(at('saga.db'), driver)
        const bytes = readFileSync(at('saga.db'))
        bytes.fill(0xa5, bytes.length - 4096, bytes.length - 4000)
        writeFileSync(at('damaged.db'), bytes)
        expect(await refused(at('damaged.db'), driver)).toMatchObject({ code: 'STORAGE_CORRUPT' })
        // What is too large to be checked whole opens, and is met where it is read.
        const unchecked = sqliteStorage(at('damaged.db'), { driver, checkedMaxBytes: 0 })
        await unchecked.open()
        await unchecked.close()
      })
    })

    test('a log whose database is gone', async () => {
      await inFolder(async (at) => {
        for (const left of [undefined, '']) {
          writeFileSync(at('saga.db-wal'), 'what only the log holds')
          if (left !== undefined) writeFileSync(at('saga.db'), left)
          const error = await opening(at('saga.db'), driver)
          expect(error).toMatchObject({ code: 'STORAGE_CORRUPT', message: expect.stringContaining('saga.db-wal') })
          expect(readFileSync(at('saga.db-wal'), 'utf8')).toBe('what only the log holds')
          expect(existsSync(at('saga.db'))).toBe(left !== undefined)
        }
      })
    })

    test.each([
      ['a table of our name without our mark', 'create table holdfast_saga (x)', 'a table holdfast_saga that holdfast did not make'],
      ['a table of marks without ours', 'create table holdfast_meta (key, value)', 'a table holdfast_meta that holdfast did not make'],
      ['a table of marks with other columns', 'create table holdfast_meta (a, b)', 'no such column'],
      [
        'a newer schema',
        "create table holdfast_meta (key, value); insert into holdfast_meta values ('application', 'holdfast'), ('schema', '99')",
        'schema 99, this one knows 2',
      ],
      [
        'a schema version that is no number',
        "create table holdfast_meta (key, value); insert into holdfast_meta values ('application', 'holdfast'), ('schema', 'x')",
        'its schema version is x',
      ],
      [
        'our tables with other columns',
        `create table holdfast_meta (key, value); insert into holdfast_meta values ('application', 'holdfast'), ('schema', '1');
         create table holdfast_saga (x); create table holdfast_saga_record (x); create table holdfast_lease (x)`,
        'no such column',
      ],
      [
        'tables of events with other columns',
        `create table holdfast_meta (key, value); insert into holdfast_meta values ('application', 'holdfast'), ('schema', '2');
         ${VERSION_1}; ${tablesOf()
           .slice(4)
           .map((name) => `create table ${name} (x)`)
           .join('; ')}`,
        'no such column',
      ],
      [
        'a table that only a later version makes',
        `create table holdfast_meta (key, value); insert into holdfast_meta values ('application', 'holdfast'), ('schema', '1');
         ${VERSION_1}; create table holdfast_event (x)`,
        'its schema version is 1, and it has a table holdfast_event that holdfast did not make',
      ],
      [
        'some of our tables gone',
        "create table holdfast_meta (key, value); insert into holdfast_meta values ('application', 'holdfast'), ('schema', '1')",
        'its table holdfast_saga, holdfast_saga_record, holdfast_lease is missing',
      ],
    ])('a database with %s', async (_, sql, reason) => {
      await inFolder(async (at) => {
        database(at('other.db'), driver, sql)
        expect(await refused(at('other.db'), driver)).toMatchObject({ code: 'STORAGE_CORRUPT', message: expect.stringContaining(reason) })
      })
    })

    test('a database in UTF-16', async () => {
      await inFolder(async (at) => {
        database(at('wide.db'), driver, "pragma encoding = 'UTF-16le'; create table t (x)")
        expect(await refused(at('wide.db'), driver)).toMatchObject({ code: 'STORAGE_UNAVAILABLE', retry: 'never' })
      })
    })

    test('a database that another keeps locked', async () => {
      await inFolder(async (at) => {
        await filled(at('saga.db'), driver)
        copyFileSync(at('saga.db'), at('copy.db'))
        const other = openHandle(driver, at('copy.db'))
        other.exec('begin immediate')
        expect(await opening(at('copy.db'), driver)).toMatchObject({ code: 'STORAGE_LOCKED', effect: 'none', retry: 'later' })
        other.exec('rollback')
        other.close()
        expect(readFileSync(at('copy.db')).equals(readFileSync(at('saga.db')))).toBe(true)
      })
    })

    test('a folder, and a path whose folder is missing', async () => {
      await inFolder(async (at) => {
        mkdirSync(at('folder'))
        expect(await opening(at('folder'), driver)).toMatchObject({
          code: 'STORAGE_UNAVAILABLE',
          message: `${at('folder')} is a folder, not a file`,
          effect: 'none',
          retry: 'never',
          details: { sqlite: 'CANTOPEN' },
        })
        const missing = await opening(at('nowhere/saga.db'), driver)
        expect(missing).toMatchObject({
          code: 'STORAGE_UNAVAILABLE',
          message: expect.stringContaining(`the folder ${at('nowhere')} does not exist`),
        })
      })
    })
  })

  describeWith(driver, `${driver} takes`, () => {
    test('a database of somebody else, whose tables stay as they are', async () => {
      await inFolder(async (at) => {
        database(at('app.db'), driver, "create table orders (id); insert into orders values ('o1')")
        await withStorage(at('app.db'), { driver }, async ({ sagaJournal }) => {
          expect(await sagaJournal.append([creation('a')])).toEqual([{ ok: true }])
        })
        const handle = openHandle(driver, at('app.db'))
        expect(handle.prepare('select id from orders').all()).toMatchObject([{ id: 'o1' }])
        handle.close()
      })
    })

    test('an empty file', async () => {
      await inFolder(async (at) => {
        writeFileSync(at('saga.db'), '')
        await withStorage(at('saga.db'), { driver }, async (storage) => expect(await storage.health()).toEqual({ status: 'ok' }))
      })
    })

    test('after a refusal the same storage again, once its cause is gone', async () => {
      await inFolder(async (at) => {
        const storage = sqliteStorage(at('later/saga.db'), { driver })
        await expect(storage.open()).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE', retry: 'later' })
        mkdirSync(at('later'))
        await storage.open()
        expect(await storage.sagaJournal.append([creation('a')])).toEqual([{ ok: true }])
        await storage.close()
      })
    })
  })
}
