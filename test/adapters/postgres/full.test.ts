// As with a real disk of 24 MB under a tablespace, the engine refuses what needs room and nothing else: here for rows that say so.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type PostgresStorage, pgTransactions, postgresStorage } from '../../../src/adapters/postgres/index.ts'
import type { AppendRequest } from '../../../src/ports/event-store.ts'
import { creation } from '../../../src/testing/contracts/journal-store.ts'
import { describeWith } from '../../support/services.ts'
import { drivers, isJs, ownSchema, type Pooled, poolOf } from './support.ts'

const TABLES = ['event', 'event_pending', 'key_value', 'lease', 'checkpoint', 'saga_lease', 'saga']
const full = { code: 'STORAGE_UNAVAILABLE', effect: 'none', retry: 'later', message: expect.stringContaining('its disk is full') }

const one = (stream: string, type = 'small'): AppendRequest => ({ writes: [{ stream, expect: 'any', events: [{ type, data: 1 }] }] })

for (const driver of drivers) {
  describeWith('postgres', `a full disk, by ${driver}`, () => {
    const { schema, run } = ownSchema('full')
    let pooled: Pooled
    let storage: PostgresStorage

    beforeAll(async () => {
      pooled = poolOf(driver)
      storage = postgresStorage(pooled.pool, { schema })
      await storage.migrate()
      await storage.open()
      await run(`create function "${schema}".no_room() returns trigger language plpgsql as $$ begin
        raise exception using errcode = '53100', message = 'could not extend file: No space left on device'; end $$`)
      for (const table of TABLES) {
        const when = table.startsWith('event') ? `when (new.type = 'large')` : ''
        await run(
          `create trigger no_room before insert or update on "${schema}".${table} for each row ${when} execute function "${schema}".no_room()`,
        )
      }
    })
    afterAll(async () => {
      await storage.close()
      await pooled.end()
    })

    test('refuses what finds no room, without effect, and takes it again when there is some', async () => {
      const { eventStore, keyValue, lease, checkpoints, sagaJournal } = storage
      const save = { name: 'c', from: 0n, to: 1n, incarnation: 'one', token: 1 }
      const writes: Readonly<Record<string, () => Promise<unknown>>> = {
        put: () => keyValue.put('a', 'x'),
        increment: () => keyValue.increment('n', 1),
        acquire: () => lease.acquire('a', 'one', { ttlMs: 1_000 }),
        save: () => checkpoints.save(save),
        claim: () => sagaJournal.claim('one', { shards: 1, leaseMs: 1_000 }),
        create: () => sagaJournal.append([creation('a')]),
      }
      for (const [name, write] of Object.entries(writes)) await expect(write(), name).rejects.toMatchObject(full)
      expect(await eventStore.append([one('a')])).toMatchObject([{ result: 'ok' }])
      expect(await eventStore.append([one('b', 'large')])).toMatchObject([{ result: 'none', error: full }])
      expect(await eventStore.append([one('c')])).toMatchObject([{ result: 'ok' }])
      if (!isJs(pooled.pool)) {
        const joined = pgTransactions(pooled.pool).run(async (tx) => {
          expect(await eventStore.join(tx).append(one('b', 'large'))).toMatchObject({ result: 'none', error: full })
        })
        await expect(joined, 'its transaction has failed with it').rejects.toMatchObject({ code: 'FAILED', effect: 'none' })
      }

      expect([await keyValue.list(), await lease.list(), await checkpoints.list(), await sagaJournal.list({ limit: 1 })]).toEqual([
        [],
        [],
        [],
        [],
      ])
      const log: string[] = []
      for await (const { events } of eventStore.readAll()) log.push(...events.map(({ stream, position }) => `${stream}@${position}`))
      expect(log).toEqual(['a@1', 'c@2'])

      for (const table of TABLES) await run(`drop trigger no_room on "${schema}".${table}`)
      for (const write of Object.values(writes)) await write()
      expect(await eventStore.append([one('b', 'large')])).toMatchObject([{ result: 'ok', position: 3n, versions: [1] }])
    })
  })
}
