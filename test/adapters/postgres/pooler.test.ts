// What a pooler can do to a storage: hand out other connections, forget statements, die.
import pg from 'pg'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { logLock } from '../../../src/adapters/postgres/events/sql/locks.ts'
import { type PostgresStorageOptions, postgresStorage } from '../../../src/adapters/postgres/index.ts'
import type { PostgresStorage } from '../../../src/adapters/postgres/storage.ts'
import type { AppendVerdict } from '../../../src/ports/event-store.ts'
import { describeWith } from '../../support/services.ts'
import { expectSound, logOf, one, TABLES, told } from './events/support.ts'
import { type Pooler, type PoolerSettings, startPooler } from './pgbouncer.ts'
import { type Driver, drivers, ownSchema, poolOf, until } from './support.ts'

/** Of an append: what is not answered by then is unknown, which the tests see sooner than their own bounds. */
const DEADLINE_MS = 15_000

describeWith('pgbouncer', 'a storage behind PgBouncer', () => {
  const { schema, run } = ownSchema('poolers')
  const ends: (() => Promise<void>)[] = []
  beforeAll(async () => {
    const { pool, end } = poolOf('pg')
    await postgresStorage(pool, { schema }).migrate()
    await end()
  })
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end()
    await run(`truncate ${[...TABLES, 'lease'].map((name) => `"${schema}".${name}`).join(', ')}`)
    await run(`update "${schema}".event_log set head = 0`)
  })

  async function pooler(settings: PoolerSettings): Promise<Pooler> {
    const started = await startPooler(settings)
    ends.push(started.close)
    return started
  }

  function storageAt({ host, port }: Pooler, driver: Driver, options: PostgresStorageOptions = {}): PostgresStorage {
    const { pool, end } = poolOf(driver, { host, port })
    ends.push(end)
    const storage = postgresStorage(pool, { schema, ...options })
    ends.push(() => storage.close())
    return storage
  }

  const words = (verdicts: readonly (AppendVerdict | undefined)[]) => verdicts.map((verdict) => told(verdict).split(' ', 1)[0])
  const ok = (count: number) => Array.from({ length: count }, () => 'ok')

  describe.each(drivers)('with %s', (driver) => {
    test('leaves nothing on the connections that others use after it', async () => {
      // One connection to the server: whoever comes next has the very same.
      const at = await pooler({ size: 1 })
      const client = new pg.Client({ host: at.host, port: at.port, user: 'postgres', database: 'postgres' })
      await client.connect()
      ends.push(() => client.end())
      const state = async () => (await client.query(STATE, [`%${schema}%`])).rows[0]
      const settings = async () => (await client.query(SETTINGS)).rows
      const before = { state: await state(), settings: await settings() }
      const storage = storageAt(at, driver, { preparedStatements: false, pollMs: 10 })
      await storage.migrate()
      await storage.open()
      const { eventStore, lease, checkpoints, keyValue, notifier } = storage
      const written = await eventStore.append([
        one('a', 'none', { idempotencyKey: 'k' }),
        { writes: [{ stream: 'b', expect: 'any', events: [{ type: 'happened', data: 1, tags: ['t'] }] }] },
      ])
      expect(words(written)).toEqual(ok(2))
      await eventStore.archive('a')
      await eventStore.rotate()
      expect(await logOf(eventStore)).toHaveLength(1)
      const held = await lease.acquire('l', 'me', { ttlMs: 1_000 })
      expect(held).toBeDefined()
      await checkpoints.save({ name: 'c', from: 0n, to: 1n, incarnation: 'i', token: 1 })
      await keyValue.put('k', 'v')
      await notifier.notify('topic')
      await storage.stats()
      expect({ state: await state(), settings: await settings() }).toEqual(before)
    })

    test('that was not told of it works all the same: what a connection has forgotten is sent again, and nothing is written twice', async () => {
      const at = await pooler({ size: 3 })
      const storages = [storageAt(at, driver), storageAt(at, driver), storageAt(at, driver)]
      for (const storage of storages) await storage.open()
      const rounds = 40
      for (let round = 0; round < rounds; round++) {
        const verdicts = await Promise.all(
          storages.map(async ({ eventStore, lease }, i) => {
            const [verdict] = await eventStore.append([one(`s${i}`, round === 0 ? 'none' : round)])
            await eventStore.head()
            await lease.acquire(`l${i}`, 'me', { ttlMs: 60_000 })
            return verdict
          }),
        )
        expect(words(verdicts)).toEqual(ok(3))
      }
      const log = await logOf((storages[0] as PostgresStorage).eventStore)
      expectSound(log)
      expect(log).toHaveLength(rounds * 3)
    })

    test('that dies under a batch which the server goes on with answers what became of it', async () => {
      const at = await pooler({ size: 4 })
      const { eventStore, open } = storageAt(at, driver, { preparedStatements: false })
      await open()
      const { pool, end } = poolOf('pg', { max: 1 })
      ends.push(end)
      const holder = await (pool as pg.Pool).connect()
      await holder.query('begin')
      await holder.query(`select pg_advisory_xact_lock(${logLock({ schema, prefix: '' })})`)
      const asked = eventStore.append([one('a', 'none'), one('a', 'none'), one('b', 'none', { idempotencyKey: 'k' })], {
        timeoutMs: 15_000,
      })
      const waits = async () =>
        (await run("select 1 from pg_stat_activity where wait_event = 'advisory' and query like $1", [`%${schema}%event_append%`])).length >
        0
      await until('it waits on the server', waits)
      await at.kill()
      await at.start()
      expect(await waits()).toBe(true)
      await holder.query('commit')
      holder.release()
      expect((await asked).map(told)).toEqual(['ok 1 @1', 'conflict stream', 'ok 1 @2'])
      expect(await logOf(eventStore)).toHaveLength(2)
    })

    test('that dies while events are on their way loses none and doubles none', { timeout: 90_000 }, async () => {
      const at = await pooler({ size: 4 })
      const storage = storageAt(at, driver, { preparedStatements: false })
      await storage.open()
      const { eventStore } = storage
      let goes = true
      const received: AppendVerdict[] = []
      const writer = async (name: string): Promise<void> => {
        for (let version = 0; goes; version++) {
          const [verdict] = await eventStore.append([one(name, version === 0 ? 'none' : version)], { timeoutMs: DEADLINE_MS })
          received.push(verdict as AppendVerdict)
        }
      }
      const writing = Promise.all(Array.from({ length: 8 }, (_, i) => writer(`w${i}`)))
      for (let deaths = 0; deaths < 3; deaths++) {
        const before = received.length
        await until('it writes', () => received.length > before + 40, DEADLINE_MS + 5_000)
        await at.kill()
        await at.start()
      }
      const before = received.length
      await until('it goes on', () => received.length > before + 40, DEADLINE_MS + 5_000)
      goes = false
      await writing
      expect([...new Set(words(received))]).toEqual(['ok'])
      const log = await logOf(eventStore)
      expectSound(log)
      const places = received.map((verdict) => (verdict.result === 'ok' ? verdict.position : undefined))
      expect(places.sort((a, b) => Number(a) - Number(b))).toEqual(log.map(({ position }) => position))
    })

    test('works in session mode with all its prepared statements', async () => {
      const at = await pooler({ mode: 'session' })
      const { eventStore, lease, open } = storageAt(at, driver)
      await open()
      for (let n = 0; n < 5; n++) {
        expect(words(await eventStore.append([one('a', n === 0 ? 'none' : n)]))).toEqual(['ok'])
        expect(await lease.acquire('l', 'me', { ttlMs: 60_000 })).toBeDefined()
      }
      expectSound(await logOf(eventStore))
    })

    test('is refused in statement mode before anything is written', async () => {
      const at = await pooler({ mode: 'statement' })
      const storage = storageAt(at, driver, { preparedStatements: false, connectMaxMs: 2_000 })
      // postgres.js keeps the pooler's words to itself.
      const said = driver === 'pg' ? 'transaction blocks not allowed in statement pooling mode' : 'CONNECTION_CLOSED'
      const refused = { code: 'STORAGE_UNAVAILABLE', effect: 'none', message: expect.stringContaining(said) }
      await expect(storage.open()).rejects.toMatchObject(refused)
      await expect(storage.migrate()).rejects.toMatchObject(refused)
    })
  })
})

const STATE = `select (select count(*) from pg_prepared_statements where statement like $1)::text as prepared,
  (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid())::text as locks,
  (select count(*) from pg_listening_channels())::text as channels, (select count(*) from pg_cursors where name <> '')::text as cursors,
  current_setting('search_path') as path, current_setting('lock_timeout') as lock, current_setting('transaction_isolation') as isolation`

/** The pooler itself sets the first two; those of plpgsql are there from when it is first used. */
const SETTINGS = `select name, setting from pg_settings
  where name not in ('application_name', 'client_encoding') and name not like 'plpgsql.%' order by name`
