import pg from 'pg'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type PostgresStorage, type PostgresStorageOptions, postgresStorage } from '../../../src/adapters/postgres/index.ts'
import type { SagaFence, SagaJournal } from '../../../src/ports/saga-journal.ts'
import { created, creation, extension, record, words } from '../../../src/testing/contracts/journal-store.ts'
import { describeWith } from '../../support/services.ts'
import { proxyToServer } from './proxy.ts'
import { drivers, HOST, ownSchema, type PoolSettings, poolOf, until } from './support.ts'

describeWith('postgres', 'a journal whose connections are lost', () => {
  const { schema, run } = ownSchema('lost')
  const ends: (() => Promise<unknown>)[] = []
  let sagas = 0
  /** Ids of a test's own: its sagas stand beside those of the others. */
  const fresh = (count: number) => Array.from({ length: count }, () => `saga ${++sagas}`)
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end()
  })
  beforeAll(async () => {
    const { pool, end } = poolOf('pg')
    await postgresStorage(pool, { schema }).migrate()
    await end()
  })
  const fenceOf = async (journal: SagaJournal): Promise<SagaFence> => {
    const owner = `owner ${++sagas}`
    await run(`delete from "${schema}".saga_lease`)
    const [claim] = await journal.claim(owner, { shards: 1, leaseMs: 60_000 })
    if (claim === undefined) throw new Error('no shard')
    return claim.fence
  }
  /** Holds the fence of shard 0 as a takeover does, so that a batch has to wait. */
  const holdFence = async () => {
    const client = new pg.Client({ host: HOST, user: 'postgres', database: 'postgres' })
    await client.connect()
    await client.query('begin')
    await client.query(`select 1 from "${schema}".saga_fence where shard = 0 for update`)
    return async () => {
      await client.query('rollback')
      await client.end()
    }
  }
  const waiting = async () =>
    (await run(`select pid from pg_stat_activity where query like '%"${schema}"."saga_append"%' and wait_event_type = 'Lock'`)).map(
      ({ pid }) => pid,
    )
  const expectWhole = async (journal: SagaJournal, id: string, seqs: number) => {
    expect((await journal.read(id)).map(({ seq }) => seq)).toEqual(Array.from({ length: seqs }, (_, i) => i + 1))
  }

  describe.each(drivers)('with %s', (driver) => {
    const open = async (settings: PoolSettings = {}, options: PostgresStorageOptions = {}): Promise<PostgresStorage> => {
      const { pool, end } = poolOf(driver, settings)
      const storage = postgresStorage(pool, { schema, ...options })
      ends.push(async () => {
        await storage.close()
        await end()
      })
      await storage.open()
      return storage
    }
    const proxied = async (options: PostgresStorageOptions = {}) => {
      const proxy = await proxyToServer()
      ends.push(proxy.close)
      return { proxy, storage: await open({ port: proxy.port, max: 2 }, options) }
    }

    test.each([1, 4])('writes a batch again that was killed before it committed, with %i connections', async (max) => {
      const { sagaJournal: journal } = await open({ max })
      const [a = '', b = '', c = ''] = fresh(3)
      await created(journal, a, b)
      const fence = await fenceOf(journal)
      const letGo = await holdFence()
      const appending = journal.append([extension(a, 2, fence), extension(b, 2, { ...fence, epoch: fence.epoch + 1 }), creation(c)])
      for (let kills = 0; kills < 2; kills++) {
        await until('it waits', async () => (await waiting()).length > 0)
        for (const pid of await waiting()) await run('select pg_terminate_backend($1)', [pid])
      }
      await letGo()
      expect(words(await appending)).toEqual(['ok', 'fenced', 'ok'])
      await expectWhole(journal, a, 3)
      await expectWhole(journal, b, 1)
      await expectWhole(journal, c, 1)
    })

    test('answers what the server answered, where the answer to a committed batch was lost', async () => {
      const { proxy, storage } = await proxied()
      const { sagaJournal: journal } = storage
      const [a = '', b = '', c = '', d = ''] = fresh(4)
      await created(journal, a, b, d)
      const fence = await fenceOf(journal)
      const before = await run(`select count(*)::int as n from "${schema}".batch where verdicts is not null`)
      const lost = proxy.loseAnswer()
      const appending = journal.append([extension(a, 2, fence), creation(b, { inputHash: 'other' }), creation(c), extension(d, 7, fence)])
      await lost
      expect(await appending).toEqual([
        { ok: true },
        { ok: false, reason: 'exists', head: expect.objectContaining({ id: b, inputHash: 'i1' }) },
        { ok: true },
        { ok: false, reason: 'conflict' },
      ])
      await expectWhole(journal, a, 3)
      await expectWhole(journal, c, 1)
      // Once: it was not written again.
      expect(await run(`select count(*)::int as n from "${schema}".batch where verdicts is not null`)).toEqual([
        { n: Number(before[0]?.n) + 1 },
      ])
    })

    test('does not know, where the server cannot be reached in time; what is asked again is told', async () => {
      const { proxy, storage } = await proxied({ settleMaxMs: 300, connectMaxMs: 300 })
      const { sagaJournal: journal } = storage
      const [a = ''] = fresh(1)
      await created(journal, a)
      const fence = await fenceOf(journal)
      const lost = proxy.loseAnswer()
      const appending = journal.append([extension(a, 2, fence)])
      const told = expect(appending).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE', effect: 'unknown', retry: 'later' })
      await lost
      proxy.cut()
      await told
      await expect(journal.append([extension(a, 4, fence)])).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
      await expect(journal.head(a)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE', effect: 'none' })
      expect(await storage.health()).toMatchObject({ status: 'down' })
      proxy.mend()
      await until('it is reached', async () => (await journal.head(a).catch(() => undefined)) !== undefined)
      expect(words(await journal.append([extension(a, 2, fence)]))).toEqual(['conflict'])
      await expectWhole(journal, a, 3)
      expect(await storage.health()).toEqual({ status: 'ok' })
    })

    test('retries what lost a race, and answers an abort at once', async () => {
      const { sagaJournal: journal } = await open({ max: 2 })
      const [a = '', b = ''] = fresh(2)
      await created(journal, a, b)
      const fence = await fenceOf(journal)
      const letGo = await holdFence()
      const stop = new AbortController()
      const sent = journal.append([extension(a, 2, fence)], stop.signal)
      await until('it waits', async () => (await waiting()).length > 0)
      // The second of one saga waits behind the first.
      const behind = journal.append([extension(a, 4, fence)], stop.signal)
      const both = Promise.all([
        expect(sent).rejects.toMatchObject({ code: 'ABORTED', effect: 'unknown' }),
        expect(behind).rejects.toMatchObject({ code: 'ABORTED', effect: 'none' }),
      ])
      stop.abort()
      await both
      await letGo()
      expect(words(await journal.append([extension(a, 4, fence)]))).toEqual(['ok'])
      await expectWhole(journal, a, 5)
    })

    test('loses and doubles nothing while connections are killed at random', { timeout: 60_000 }, async () => {
      const storages = [await open({ max: 3 }), await open({ max: 3 })]
      const fence = await fenceOf((storages[0] as PostgresStorage).sagaJournal)
      let running = true
      const killing = (async () => {
        while (running) {
          await run(
            `select pg_terminate_backend(pid) from pg_stat_activity where query like '%"${schema}"%' and pid <> pg_backend_pid() and random() < 0.5`,
          )
          await new Promise((resolve) => setTimeout(resolve, 15))
        }
      })()
      const live = async (id: string, journal: SagaJournal) => {
        expect(words(await journal.append([creation(id)]))).toEqual(['ok'])
        for (let seq = 2; seq < 22; seq += 2) expect(words(await journal.append([extension(id, seq, fence)]))).toEqual(['ok'])
      }
      const ids = fresh(40)
      await Promise.all(ids.map((id, i) => live(id, (storages[i % 2] as PostgresStorage).sagaJournal)))
      running = false
      await killing
      const { sagaJournal } = await open()
      for (const id of ids) await expectWhole(sagaJournal, id, 21)
    })

    test('one write that the server refuses fails no other of its batch', async () => {
      const { sagaJournal: journal } = await open()
      await run(`create or replace function "${schema}".refuse() returns trigger language plpgsql as $$
        begin if new.id like 'poison%' then raise exception 'poisoned'; end if; return new; end $$`)
      await run(`create or replace trigger refuse before insert on "${schema}".saga for each row execute function "${schema}".refuse()`)
      const ids = fresh(9)
      const poison = `poison ${++sagas}`
      const appends = [...ids.slice(0, 5), poison, ...ids.slice(5)].map((id) => journal.append([creation(id)]))
      const settled = await Promise.allSettled(appends)
      expect(settled.map(({ status }) => status)).toEqual(
        ids
          .slice(0, 5)
          .map(() => 'fulfilled')
          .concat('rejected', ...ids.slice(5).map(() => 'fulfilled')),
      )
      expect(settled[5]).toMatchObject({
        reason: { code: 'STORAGE_UNAVAILABLE', effect: 'none', retry: 'never', details: { sqlstate: 'P0001' } },
      })
      for (const id of ids) await expectWhole(journal, id, 1)
      const mixed = journal.append([creation(`${poison} again`), creation(fresh(1)[0] ?? '')])
      await expect(mixed).rejects.toMatchObject({ effect: 'unknown' })
    })

    test('closes after what is in flight was answered', async () => {
      const storage = await open()
      const ids = fresh(20)
      const appending = storage.sagaJournal.append(ids.map((id) => creation(id)))
      await storage.close()
      expect(words(await appending)).toEqual(ids.map(() => 'ok'))
      await expect(storage.sagaJournal.append([creation('x')])).rejects.toMatchObject({ code: 'NOT_STARTED', effect: 'none' })
      await storage.open()
      await expectWhole(storage.sagaJournal, ids[0] ?? '', 1)
    })

    test('keeps NUL, its neighbours and the order of ids with them', async () => {
      const { sagaJournal: journal } = await open()
      const head = `nul ${++sagas} `
      const ids = [
        '\u0000',
        '\u0000\u0000',
        '\u0000\u0001',
        '\u0001',
        '\u0001\u0000',
        '\u0001\u0001',
        '\u0002',
        'a',
        'a\u0000',
        'a\u0001',
      ].map((tail) => head + tail)
      const data = '"x"\u0000\u0001\u0001\u0000\u0002"\\{},'
      await journal.append(
        [...ids].reverse().map((id) => ({ ...creation(id), records: [record(1, { data, kind: '\u0001"\\', step: '\u0000' })] })),
      )
      expect((await journal.list({ afterId: head, limit: ids.length })).map(({ id }) => id)).toEqual(ids)
      for (const id of ids) expect(await journal.read(id)).toEqual([record(1, { data, kind: '\u0001"\\', step: '\u0000' })])
      await expect(journal.append([creation('x'.repeat(2_001))])).rejects.toMatchObject({ code: 'INVALID_INPUT', effect: 'none' })
      expect(words(await journal.append([creation(`${++sagas}`.padEnd(2_000, 'ü').slice(0, 990))]))).toEqual(['ok'])
    })
  })

  test('is settled where pg gives up on a statement that goes on', async () => {
    const pool = new pg.Pool({ host: HOST, user: 'postgres', database: 'postgres', max: 2, query_timeout: 300 })
    pool.on('error', () => {})
    const storage = postgresStorage(pool, { schema })
    await storage.open()
    const { sagaJournal: journal } = storage
    const [a = ''] = fresh(1)
    await created(journal, a)
    const fence = await fenceOf(journal)
    const letGo = await holdFence()
    const appending = journal.append([extension(a, 2, fence)])
    await until(
      'it was given up once',
      async () => (await run(`select 1 from "${schema}".batch where verdicts is null and at > now() - interval '10 s'`)).length > 0,
    )
    await letGo()
    expect(words(await appending)).toEqual(['ok'])
    await expectWhole(journal, a, 3)
    await storage.close()
    await pool.end()
  })
})
