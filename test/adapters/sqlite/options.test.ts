import { expect, expectTypeOf, test } from 'vitest'
import { type SqliteHandle, type SqliteStorage, sqliteStorage } from '../../../src/adapters/sqlite/index.ts'
import type { Storage } from '../../../src/ports/storage.ts'
import { describeWith, loadDriver } from '../../support/services.ts'
import { type Handle, inFolder, openHandle } from './support.ts'

const handle: SqliteHandle = { exec: () => {}, prepare: () => ({ run: () => {}, get: () => undefined, all: () => [] }) }

test.each([
  ['an empty path', '', undefined, 'database must be a path'],
  ['a NUL in the path', 'a\0b', undefined, 'database must be a path'],
  ['a URL', 'libsql://db.example.org', undefined, 'not a URL'],
  ['a file URL', 'file:./a.db', undefined, 'not a URL'],
  ['no database', undefined, undefined, 'database must be a path'],
  ['an object that is no handle', { exec: () => {} }, undefined, 'database must be a path'],
  [
    'an unknown driver',
    './a.db',
    { driver: 'sqlite3' },
    "driver must be one of 'libsql', 'better-sqlite3', 'node:sqlite', got \"sqlite3\"",
  ],
  ['a driver beside a handle', handle, { driver: 'libsql' }, 'driver must be absent where a handle is given'],
  ['an unknown durability', './a.db', { durability: 'off' }, "durability must be one of 'full', 'normal'"],
  ['a negative wait', './a.db', { lockedMaxMs: -1 }, 'lockedMaxMs must be a number from 0 to 600000'],
  ['half a byte', './a.db', { checkedMaxBytes: 0.5 }, 'checkedMaxBytes must be a whole number'],
  ['looking all the time', './a.db', { pollMs: 0 }, 'pollMs must be a number from 1 to 60000'],
  ['keys that are not kept', './a.db', { keysKeptDays: 0 }, 'keysKeptDays must be a number above 0, at most 3650'],
  ['no room for appends', './a.db', { appendsQueued: 0 }, 'appendsQueued must be a whole number from 1 to 1000000'],
  ['an unknown option', './a.db', { timeout: 5 }, 'unknown option timeout'],
])('refuses %s', (_, database, options, reason) => {
  expect(() => sqliteStorage(database as string, options as object)).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTIONS', effect: 'none', message: expect.stringContaining(reason) }),
  )
})

test('touches nothing until it is opened', async () => {
  await inFolder(async (at) => {
    const storage = sqliteStorage(at('nowhere/saga.db'))
    expect(storage).toMatchObject({
      engine: 'sqlite',
      ports: ['sagaJournal', 'eventStore', 'keyValue', 'lease', 'notifier', 'checkpoints'],
    })
    await storage.migrate()
    expect(await storage.health()).toEqual({ status: 'down', reason: 'the SQLite storage is not open' })
    await storage.close()
  })
})

test('takes the handles of the drivers as they are typed', () => {
  expectTypeOf<import('libsql').Database>().toExtend<SqliteHandle>()
  expectTypeOf(sqliteStorage).returns.toEqualTypeOf<SqliteStorage>()
  expectTypeOf<SqliteStorage>().toExtend<Storage>()
})

describeWith('libsql', 'settings', () => {
  test.each(['full', 'normal'] as const)(
    'durability %s is what our connection is given, and waiting is never left to the driver',
    async (durability) => {
      await inFolder(async (at) => {
        const given: string[] = []
        const Database = loadDriver<new (path: string) => Handle>('libsql')
        class Recorded extends Database {
          override exec(sql: string): unknown {
            given.push(sql)
            return super.exec(sql)
          }
        }
        const handle = new Recorded(at('app.db'))
        const storage = sqliteStorage(handle, { durability })
        await storage.open()
        await storage.close()
        handle.close()
        expect(given).toContain(`pragma synchronous = ${durability}`)
        expect(given.includes('pragma fullfsync = 1')).toBe(durability === 'full')
        expect(given[0]).toBe('pragma busy_timeout = 0')
        expect(given).not.toContain('pragma journal_mode = wal')
      })
    },
  )

  test('a file of its own is in WAL mode', async () => {
    await inFolder(async (at) => {
      const storage = sqliteStorage(at('saga.db'), { driver: 'libsql' })
      await storage.open()
      const handle = openHandle('libsql', at('saga.db'))
      expect(handle.prepare('pragma journal_mode').get()).toMatchObject({ journal_mode: 'wal' })
      handle.close()
      await storage.close()
    })
  })

  test('a path is resolved when the storage is made', async () => {
    await inFolder(async (at) => {
      const before = process.cwd()
      process.chdir(at('.'))
      const storage = sqliteStorage('saga.db', { driver: 'libsql' })
      process.chdir(before)
      await storage.open()
      openHandle('libsql', at('saga.db')).prepare('select 1 from holdfast_meta').get()
      await storage.close()
    })
  })
})
