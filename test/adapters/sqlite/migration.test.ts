import { afterAll, beforeAll, expect, test } from 'vitest'
import { creation, headOf, record } from '../../../src/testing/contracts/journal-store.ts'
import { describeWith } from '../../support/services.ts'
import { all, bundle, run } from './process/parent.ts'
import { drivers, folder, inFolder, openHandle, withStorage } from './support.ts'

/** A database as version 1 left it, with a saga, its record and a lease. */
const VERSION_1 = `
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
  insert into holdfast_meta (key, value) values ('application', 'holdfast'), ('schema', '1');
  insert into holdfast_lease values (0, 'gone', '["","","",1,""]', 1, 1, 7);
`

const { path, remove } = folder()
let script: string
beforeAll(async () => {
  script = await bundle(path('child.mjs'))
})
afterAll(remove)

function version1(at: string, driver: (typeof drivers)[number], sql = ''): void {
  const handle = openHandle(driver, at)
  handle.exec('pragma journal_mode = wal')
  handle.exec(VERSION_1 + sql)
  const { saga, version, definitionHash, inputHash, shard, state, seq, startedEpochMs, updatedEpochMs } = headOf('old')
  handle
    .prepare('insert into holdfast_saga values (1, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?)')
    .run('old', saga, version, definitionHash, inputHash, shard, state, seq, startedEpochMs, updatedEpochMs)
  const { kind, step, atEpochMs, data } = record(1)
  handle.prepare('insert into holdfast_saga_record values (1, 1, 1, ?, ?, ?, ?)').run(kind, step, atEpochMs, data)
  handle.close()
}

for (const driver of drivers.filter((name) => name !== 'better-sqlite3')) {
  describeWith(driver, `${driver}: a database of version 1`, () => {
    test('is brought to this version when it is opened, and keeps its sagas', async () => {
      await inFolder(async (at) => {
        version1(at('saga.db'), driver)
        for (let round = 0; round < 2; round++)
          await withStorage(at('saga.db'), { driver }, async ({ sagaJournal, eventStore, keyValue }) => {
            expect(await sagaJournal.head('old')).toEqual(headOf('old'))
            expect(await sagaJournal.read('old')).toEqual([record(1)])
            const [claim] = await sagaJournal.claim('me', { shards: 1, leaseMs: 1_000 })
            expect(claim?.fence.epoch).toBe(8 + round)
            await sagaJournal.release('me')
            expect((await eventStore.head()).position).toBe(BigInt(round))
            const writes = [{ stream: 'a', expect: round, events: [{ type: 'placed', data: 1 }] }]
            expect(await eventStore.append([{ writes }])).toMatchObject([{ result: 'ok' }])
            expect(await keyValue.increment('opened', 1)).toEqual({ value: round + 1 })
          })
        const handle = openHandle(driver, at('saga.db'))
        expect(handle.prepare("select value from holdfast_meta where key = 'schema'").get()).toMatchObject({ value: '2' })
        handle.close()
      })
    })

    test('keeps its incarnation from opening to opening, and another file has another', async () => {
      await inFolder(async (at) => {
        const seen: string[] = []
        for (const name of ['a.db', 'a.db', 'b.db']) {
          if (seen.length !== 1) version1(at(name), driver)
          await withStorage(at(name), { driver }, async ({ eventStore }) => seen.push((await eventStore.head()).incarnation))
        }
        const [first, again, other] = seen
        expect(first).toMatch(/^[0-9a-f]{16}$/)
        expect(again).toBe(first)
        expect(other).not.toBe(first)
      })
    })
  })
}

describeWith('libsql', 'processes that open a database of version 1 at once', () => {
  test('all find it migrated, once', async () => {
    await inFolder(async (at) => {
      version1(at('saga.db'), 'libsql')
      const opening = Array.from({ length: 4 }, () => run(script, { act: 'open', path: at('saga.db'), driver: 'libsql' }))
      expect((await Promise.all(opening.map(all))).flat()).toEqual(opening.map(() => ({ opened: true })))
      await withStorage(at('saga.db'), { driver: 'libsql' }, async ({ sagaJournal, eventStore }) => {
        expect(await sagaJournal.append([creation('new')])).toEqual([{ ok: true }])
        expect(await sagaJournal.head('old')).toEqual(headOf('old'))
        expect((await eventStore.head()).position).toBe(0n)
      })
    })
  })
})
