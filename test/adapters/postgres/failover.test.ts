// A real primary that dies, and a real standby that takes its place without the last of what was written.
import type pg from 'pg'
import { afterEach, expect, test } from 'vitest'
import { pgTransactions, postgresStorage } from '../../../src/adapters/postgres/index.ts'
import type { PostgresStorage } from '../../../src/adapters/postgres/storage.ts'
import type { AppendVerdict, LogBatch } from '../../../src/ports/event-store.ts'
import { describeWith } from '../../support/services.ts'
import { type Cluster, type Standby, startPrimary, startStandby } from './cluster.ts'
import { expectSound, logOf, one, told } from './events/support.ts'
import { proxyToServer, type Proxy as ServerProxy } from './proxy.ts'
import { type Driver, drivers, HOST, poolOf, until } from './support.ts'

const reset = { code: 'LOG_RESET', effect: 'none', retry: 'never' }

function tokenOf(verdict: AppendVerdict | undefined): string {
  if (verdict?.result !== 'ok') throw new Error(`not written: ${told(verdict)}`)
  return verdict.token
}

async function followed(batches: AsyncIterable<LogBatch>): Promise<void> {
  for await (const _ of batches);
}

const long = { timeout: 60_000 }

describeWith('postgres-binaries', 'a failover', () => {
  const ends: (() => Promise<void>)[] = []
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end()
  })

  function storageAt({ host, port }: { readonly host: string; readonly port: number }, driver: Driver, schema: string): PostgresStorage {
    const { pool, end } = poolOf(driver, { host, port })
    ends.push(end)
    const storage = postgresStorage(pool, { schema })
    ends.push(() => storage.close())
    return storage
  }

  async function pair(): Promise<{ readonly primary: Cluster; readonly standby: Standby }> {
    const primary = await startPrimary()
    ends.push(primary.close)
    const standby = await startStandby(primary)
    ends.push(standby.close)
    return { primary, standby }
  }

  const schemaOf = (driver: Driver) => (driver === 'pg' ? 'one' : 'two')

  /** What is written and read before the primary dies. */
  async function before(
    at: ServerProxy,
    driver: Driver,
    { standby, lagging }: { readonly standby: Standby; readonly lagging: () => Promise<void> },
  ) {
    const storage = storageAt({ host: HOST, port: at.port }, driver, schemaOf(driver))
    await storage.migrate()
    await storage.open()
    const { eventStore } = storage
    const kept = await eventStore.append(['a', 'b', 'c'].map((stream) => one(stream, 'none', { idempotencyKey: stream })))
    await storage.checkpoints.save({ name: 'kept', from: 0n, to: 2n, incarnation: (await eventStore.head()).incarnation, token: 1 })
    await standby.caughtUp()
    await lagging()
    const lost = await eventStore.append(['a', 'd'].map((stream) => one(stream, 'any', { idempotencyKey: `${stream} lost` })))
    expect([...kept, ...lost].map(told)).toEqual(['ok 1 @1', 'ok 1 @2', 'ok 1 @3', 'ok 2 @4', 'ok 1 @5'])
    let seen = 0n
    const following = (async () => {
      for await (const { scannedTo } of eventStore.subscribe()) seen = scannedTo
    })()
    following.catch(() => {})
    await until('a subscriber has seen all', () => seen === 5n)
    return { storage, eventStore, kept, lost, following, old: await eventStore.head() }
  }

  type Former = Awaited<ReturnType<typeof before>>

  async function after({ storage, eventStore, kept, lost, following, old }: Former): Promise<void> {
    // Nothing has been written yet, so the log is still the former: what is past its head is lost all the same.
    expect(await eventStore.head()).toEqual({ position: 3n, incarnation: old.incarnation })
    expect(await eventStore.waitFor(tokenOf(kept[2]))).toBe(3n)
    await expect(eventStore.waitFor(tokenOf(lost[1]))).rejects.toMatchObject(reset)
    await expect(logOf(eventStore, { after: 5n, incarnation: old.incarnation })).rejects.toMatchObject(reset)
    // Where its connection was lost in the midst of a look that ended it; then it comes again from where it was.
    await expect(following).rejects.toMatchObject({ code: expect.stringMatching('LOG_RESET|STORAGE_UNAVAILABLE'), effect: 'none' })
    await expect(followed(eventStore.subscribe({ after: 5n, incarnation: old.incarnation }))).rejects.toMatchObject(reset)
    const [conditional] = await eventStore.append([one('e', 'any', { condition: { queries: [{ tags: ['t'] }], after: 5n } })])
    expect(told(conditional)).toBe('none LOG_RESET')

    const again = await eventStore.append([
      one('a', 'none', { idempotencyKey: 'a' }),
      one('a', 'any', { idempotencyKey: 'a lost' }),
      one('d', 'none', { idempotencyKey: 'd lost' }),
      one('e', 'none'),
    ])
    expect(again.map(told)).toEqual(['duplicate 1 @1', 'ok 2 @4', 'ok 1 @5', 'ok 1 @6'])
    const now = await eventStore.head()
    expect([now.position, now.incarnation === old.incarnation]).toEqual([6n, false])

    // The positions of what was lost are taken again, and nobody of before is led to them.
    for (const verdict of [kept[2], ...lost]) await expect(eventStore.waitFor(tokenOf(verdict))).rejects.toMatchObject(reset)
    expect(await eventStore.waitFor(tokenOf(again[3]))).toBe(6n)
    for (const position of [2n, 4n, 5n])
      await expect(logOf(eventStore, { after: position, incarnation: old.incarnation })).rejects.toMatchObject(reset)
    const log = await logOf(eventStore, { after: 0n, incarnation: now.incarnation })
    expectSound(log)
    expect(log.map(({ stream }) => stream)).toEqual(['a', 'b', 'c', 'a', 'd', 'e'])
    expect(await storage.checkpoints.load('kept')).toMatchObject({ position: 2n, incarnation: old.incarnation })
    // Who opens the new primary afresh finds the same log.
    await storage.close()
    await storage.open()
    expect(await eventStore.head()).toEqual(now)
  }

  test(
    'to a standby that lags gives the log another incarnation: no reader, token or condition of before is led astray, and positions go on',
    long,
    async () => {
      const { primary, standby } = await pair()
      const proxy = await proxyToServer(primary)
      ends.push(proxy.close)
      let waiting = drivers.length
      let laggingNow = (): void => {}
      const isLagging = new Promise<void>((resolve) => {
        laggingNow = resolve
      })
      const lagging = async (): Promise<void> => {
        waiting -= 1
        if (waiting === 0) laggingNow()
        await isLagging
        await standby.lag()
      }
      const formers = await Promise.all(drivers.map((driver) => before(proxy, driver, { standby, lagging })))
      proxy.cut()
      await primary.kill()
      await standby.promote()
      proxy.pointTo(standby)
      proxy.mend()
      for (const former of formers) await after(former)
    },
  )

  test('under writers that do not stop loses no answer: what was acknowledged afterwards is there, in its place, once', long, async () => {
    const { primary, standby } = await pair()
    const proxy = await proxyToServer(primary)
    ends.push(proxy.close)
    const storages = drivers.map((driver) => storageAt({ host: HOST, port: proxy.port }, driver, schemaOf(driver)))
    for (const storage of storages) {
      await storage.migrate()
      await storage.open()
    }
    let goes = true
    const received: { readonly driver: number; readonly key: string; readonly verdict: AppendVerdict }[] = []
    const writer = async (driver: number, name: string): Promise<void> => {
      for (let n = 0; goes; n++) {
        const key = `${name} ${n}`
        const [verdict] = await (storages[driver] as PostgresStorage).eventStore.append([one(name, 'any', { idempotencyKey: key })], {
          timeoutMs: 15_000,
        })
        received.push({ driver, key, verdict: verdict as AppendVerdict })
      }
    }
    const writing = Promise.all(storages.flatMap((_, driver) => ['v', 'w', 'x'].map((name) => writer(driver, name))))
    const wrote = (count: number, since: number) => () =>
      storages.every((_, driver) => received.slice(since).filter((one) => one.driver === driver).length > count)
    await until('both write', wrote(20, 0))
    await standby.caughtUp()
    await standby.lag()
    const lagged = received.length
    await until('both write what will be lost', wrote(20, lagged))
    proxy.cut()
    await primary.kill()
    await standby.promote()
    proxy.pointTo(standby)
    proxy.mend()
    const mended = received.length
    // Longer than the deadline of an append.
    await until('both go on', wrote(20, mended), 20_000)
    goes = false
    await writing
    expect(received.filter(({ verdict }) => verdict.result !== 'ok').map(({ verdict }) => told(verdict))).toEqual([])
    for (const [driver, { eventStore }] of storages.entries()) {
      const { incarnation } = await eventStore.head()
      const log = await logOf(eventStore)
      expectSound(log)
      const now = received.filter((one) => one.driver === driver && tokenOf(one.verdict).startsWith(incarnation))
      expect(now.length).toBeGreaterThan(20)
      for (const { verdict, key } of now) {
        const { position, versions } = verdict as Extract<AppendVerdict, { result: 'ok' }>
        const stored = log.find((event) => event.position === position)
        expect([key, stored?.stream, stored?.version]).toEqual([key, key.split(' ')[0], versions[0]])
      }
      // Once: the log is what the standby had, and what was acknowledged since.
      const since = log.filter(({ position }) => now.some(({ verdict }) => verdict.result === 'ok' && verdict.position === position))
      expect(since).toHaveLength(now.length)
      expect(since.at(-1)?.position).toBe(log.at(-1)?.position)
      expect(BigInt(since.length)).toBe((log.at(-1)?.position ?? 0n) - (since[0]?.position ?? 0n) + 1n)
    }
  })

  test('whose first write is joined gives the log another incarnation too', long, async () => {
    const { primary, standby } = await pair()
    const proxy = await proxyToServer(primary)
    ends.push(proxy.close)
    const { pool, end } = poolOf('pg', { host: HOST, port: proxy.port })
    ends.push(end)
    const storage = postgresStorage(pool as pg.Pool)
    ends.push(() => storage.close())
    await storage.migrate()
    await storage.open()
    const { eventStore } = storage
    await eventStore.append([one('a', 'none')])
    await standby.caughtUp()
    await standby.lag()
    const [lost] = await eventStore.append([one('lost', 'none')])
    const { incarnation } = await eventStore.head()
    proxy.cut()
    await primary.kill()
    await standby.promote()
    proxy.pointTo(standby)
    proxy.mend()
    await pgTransactions(pool as pg.Pool).run((tx) => eventStore.join(tx).append(one('joined', 'none')))
    // Whoever reads gives it its place, the very one that was lost.
    expect((await logOf(eventStore)).map(({ position, stream }) => [position, stream])).toEqual([
      [1n, 'a'],
      [2n, 'joined'],
    ])
    await expect(eventStore.waitFor(tokenOf(lost))).rejects.toMatchObject(reset)
    expect((await eventStore.head()).incarnation).not.toBe(incarnation)
  })

  test('that has not happened yet: a standby reads what it has, and says of every write that it is read-only', long, async () => {
    const { primary, standby } = await pair()
    const writers = drivers.map((driver) => storageAt(primary, driver, schemaOf(driver)))
    for (const writer of writers) {
      await writer.migrate()
      await writer.open()
      await writer.eventStore.append([one('a', 'none')])
    }
    await standby.caughtUp()
    for (const [i, driver] of drivers.entries()) {
      const { eventStore } = writers[i] as PostgresStorage
      const reader = storageAt(standby, driver, schemaOf(driver))
      await reader.open()
      expect(await reader.eventStore.head()).toEqual(await eventStore.head())
      const seen: bigint[] = []
      const over = new AbortController()
      ends.push(async () => over.abort())
      const following = (async () => {
        for await (const { events } of reader.eventStore.subscribe({ signal: over.signal }))
          seen.push(...events.map(({ position }) => position as bigint))
      })()
      await until('it has read', () => seen.length === 1)
      await standby.run('select pg_wal_replay_pause()')
      const [ahead] = await eventStore.append([one('a', 1)])
      expect(await logOf(reader.eventStore)).toHaveLength(1)
      // What it has not got yet is not lost.
      const behind = {
        code: 'STORAGE_UNAVAILABLE',
        effect: 'none',
        retry: 'later',
        message: expect.stringContaining('a standby that is behind'),
      }
      await expect(logOf(reader.eventStore, { after: 2n })).rejects.toMatchObject(behind)
      await expect(reader.eventStore.waitFor(tokenOf(ahead), { timeoutMs: 50 })).rejects.toMatchObject({ code: 'WAIT_TIMEOUT' })
      const waited = reader.eventStore.waitFor(tokenOf(ahead), { timeoutMs: 10_000 })
      const [refused] = await reader.eventStore.append([one('a')])
      const readOnly = {
        code: 'STORAGE_UNAVAILABLE',
        effect: 'none',
        details: expect.objectContaining({ sqlstate: '25006' }),
        message: expect.stringContaining('it is read-only here'),
      }
      expect(refused).toMatchObject({ result: 'none', error: readOnly })
      const writes = [
        reader.checkpoints.save({ name: 'c', from: 0n, to: 1n, incarnation: 'i', token: 1 }),
        reader.lease.acquire('l', 'me', { ttlMs: 1_000 }),
        reader.keyValue.put('k', 'v'),
        reader.notifier.notify('topic'),
        reader.eventStore.archive('a'),
        reader.eventStore.rotate(),
      ]
      for (const write of await Promise.allSettled(writes)) expect(write).toMatchObject({ status: 'rejected', reason: readOnly })
      await standby.run('select pg_wal_replay_resume()')
      await until('it follows', () => seen.length === 2)
      expect(await waited).toBe(2n)
      over.abort()
      await following
    }
  })
})
