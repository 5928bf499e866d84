// Isolation levels, incarnations, poolers, and what a text may hold.
import { randomBytes } from 'node:crypto'
import { afterAll, expect, test } from 'vitest'
import type { LogBatch } from '../../../../src/ports/event-store.ts'
import { describeWith } from '../../../support/services.ts'
import { clientFor, type Pooled, type PoolSettings, poolOf, until } from '../support.ts'
import { bench, event, expectSound, logOf, one, streamOf, told } from './support.ts'

describeWith('postgres', 'the engine under the event store', () => {
  const { store, begin, clear, run, table, schema } = bench('engine')
  const pools: Pooled[] = []
  const poolWith = (settings: PoolSettings): Pooled => {
    const pooled = poolOf('pg', settings)
    pools.push(pooled)
    return pooled
  }
  afterAll(async () => {
    for (const { end } of pools) await end()
  })

  test('rule 5: decides by what is committed, also where the connection’s default is a snapshot for the whole transaction', async () => {
    for (const level of ['repeatable read', 'serializable']) {
      await clear()
      const pooled = poolWith({ settings: { default_transaction_isolation: level } })
      const stores = [store({}, clientFor(pooled)), store({}, clientFor(pooled))]
      for (const each of stores) await each.open()
      const verdicts = await Promise.all(
        stores.flatMap((each) => Array.from({ length: 10 }, () => each.append([one('raced', 'none'), one('hot')], { timeoutMs: 20_000 }))),
      )
      const raced = verdicts.map(([verdict]) => verdict?.result)
      expect([raced.filter((word) => word === 'ok').length, raced.filter((word) => word === 'conflict').length]).toEqual([1, 19])
      expect(verdicts.every(([, hot]) => hot?.result === 'ok')).toBe(true)
      expectSound(await logOf(stores[0] as (typeof stores)[0]))
      for (const each of stores) await each.close()
    }
  })

  test('rule 5: sees what was committed while it waited, also where the connection’s default is a snapshot for the whole transaction', async () => {
    await clear()
    const writer = store({}, clientFor(poolWith({ settings: { default_transaction_isolation: 'repeatable read' } })))
    await writer.open()
    const { tx, commit } = await begin()
    await writer.join(tx).append(one('new'))
    const asked = writer.append([one('new')], { timeoutMs: 20_000 })
    const waits = async () =>
      (await run("select 1 from pg_stat_activity where wait_event = 'advisory' and query like $1", [`%${schema}%event_append%`])).length > 0
    await until('it waits on the server', waits)
    await commit()
    expect((await asked).map(told)).toEqual(['ok 2 @2'])
    await writer.close()
  })

  test('rule 5: in a user’s REPEATABLE READ transaction a lost race is the engine’s error, also for a stream, tag or key it cannot see', async () => {
    await clear()
    const writer = store()
    await writer.open()
    await writer.append([one('old', 'any', { events: [event(1, { tags: ['old'] })] })])
    const joins = [
      one('old'),
      one('new'),
      one('x', 'any', { events: [event(1, { tags: ['old'] })] }),
      one('x', 'any', { events: [event(1, { tags: ['new'] })] }),
      one('x', 'any', { condition: { queries: [{ tags: ['old'] }], after: 1n } }),
      one('x', 'any', { idempotencyKey: 'k' }),
    ]
    for (const [i, joined] of joins.entries()) {
      const { tx, rollback } = await begin('begin isolation level repeatable read')
      await tx.query(`select count(*) from ${table('event')}`)
      const written = await writer.append([
        one('old', 'any', { events: [event(1, { tags: ['old', 'new'] })] }),
        one('new', 'any'),
        one('keyed', 'any', { idempotencyKey: 'k' }),
      ])
      expect(written.every(({ result }) => result === 'ok' || result === 'duplicate')).toBe(true)
      const verdict = await writer.join(tx).append(joined)
      expect([i, verdict.result, verdict.result === 'none' && verdict.error.details]).toEqual([
        i,
        'none',
        expect.objectContaining({ sqlstate: '40001' }),
      ])
      await rollback()
      await run(`delete from ${table('event_stream')} where stream = 'new'`)
      await run(`delete from ${table('event')} where stream = 'new'`)
      await run(`delete from ${table('event_tag')} where tag = 'new'`)
      await run(`delete from ${table('event_key')}`)
    }
    await writer.close()
  })

  test('rule 5: leaves the settings of a user’s transaction as they were', async () => {
    await clear()
    const writer = store()
    await writer.open()
    const holder = await begin()
    await writer.join(holder.tx).append(one('held'))
    const { tx, commit } = await begin()
    await tx.query("set local lock_timeout = '1234ms'")
    expect(told(await writer.join(tx).append(one('a')))).toBe('ok 1 @undefined')
    expect(told(await writer.join(tx).append(one('held'), { timeoutMs: 30 }))).toBe('none STREAM_BUSY')
    expect((await tx.query('show lock_timeout')).rows).toEqual([{ lock_timeout: '1234ms' }])
    await commit()
    await holder.rollback()
    await writer.close()
  })

  test('rule 10: another timeline, system or restore is another incarnation: readers, subscribers, tokens and conditions of before stop', async () => {
    const changes = [`update ${table('event_log')} set timeline = '000000FF'`, `update ${table('event_log')} set system = '1.1'`, undefined]
    for (const change of changes) {
      await clear()
      const writer = store()
      await writer.open()
      const [first] = await writer.append([one('a')])
      const token = first?.result === 'ok' ? first.token : ''
      const before = await writer.head()
      const batches: LogBatch[] = []
      const following = (async () => {
        for await (const batch of writer.subscribe({ after: 1n })) batches.push(batch)
      })()
      const stopped = expect(following).rejects.toMatchObject({ code: 'LOG_RESET' })
      if (change === undefined) await writer.rotate()
      else await run(change)
      const other = store()
      // What a server is told by its timeline shows at the next write, the rest when somebody opens.
      if (change !== changes[0]) await other.open()
      expect((await writer.append([one('a')])).map(told)).toEqual(['ok 2 @2'])
      const after = await writer.head()
      expect([after.position, after.incarnation === before.incarnation]).toEqual([2n, false])
      await expect(logOf(writer, { after: 1n, incarnation: before.incarnation })).rejects.toMatchObject({ code: 'LOG_RESET' })
      await expect(writer.waitFor(token)).rejects.toMatchObject({ code: 'LOG_RESET' })
      await stopped
      expect(await logOf(writer, { after: 1n, incarnation: after.incarnation })).toHaveLength(1)
      await other.close()
      await writer.close()
    }
  })

  test('rule 10: who opens the same log again keeps its incarnation', async () => {
    await clear()
    const [first, second] = [store(), store()]
    await first.open()
    await second.open()
    expect(await second.head()).toEqual(await first.head())
    await first.close()
    await second.close()
  })

  test('rule 11: works without prepared statements, and where the server has forgotten those it had', async () => {
    await clear()
    const pooled = poolWith({ max: 1 })
    for (const preparedStatements of [false, true]) {
      const writer = store({}, clientFor(pooled, { preparedStatements }))
      await writer.open()
      await writer.append([one('a')])
      await (pooled.pool as { query(text: string): Promise<unknown> }).query('deallocate all')
      expect((await writer.append([one('a')]))[0]?.result).toBe('ok')
      expectSound(await logOf(writer))
      await writer.close()
    }
  })

  test('gives back every text as it was: escapes, quotes, order of properties, NUL and lone surrogates in data', async () => {
    await clear()
    const writer = store()
    await writer.open()
    const data = {
      z: 1,
      a: ['\u0000', '\ud800', '\udfff\ud800', '"\\', '{}', '\n\t\u2028', '😀', 1e21, 0.1, -1e-7, ''],
      '\u0000': { '': null },
    }
    const name = 'sp\u0001ace\n"\\{},NULL\u007f\u0085é😀'
    const request = one(name, 'none', {
      events: [event(data, { type: name, id: name, tags: [name, 'NULL', '{}', ''.padEnd(3, '"')], metadata: { data } })],
    })
    const verdicts = await writer.append([{ ...request, tenant: name, idempotencyKey: name }])
    expect(verdicts.map(told)).toEqual(['ok 1 @1'])
    const { tx, commit } = await begin()
    expect(told(await writer.join(tx).append(request))).toBe('ok 1 @undefined')
    await commit()
    const [first, second] = await logOf(writer, { tenant: '*' })
    for (const stored of [first, second]) {
      expect(JSON.stringify(stored?.data)).toBe(JSON.stringify(data))
      expect(stored).toMatchObject({ stream: name, type: name, id: name, metadata: { data } })
      expect(new Set(stored?.tags)).toEqual(new Set(request.writes[0]?.events[0]?.tags))
    }
    expect(await logOf(writer, { tags: [name, 'NULL'], types: [name], tenant: name })).toEqual([first])
    expect(await streamOf(writer, name)).toEqual([second])
    const [conflict] = await writer.append([{ ...request, tenant: name }])
    expect(conflict?.result === 'conflict' && conflict.missed).toEqual([first])
    await writer.close()
  })

  test('ends a batch early where its events are large', async () => {
    await clear()
    const writer = store()
    await writer.open()
    const large = Array.from({ length: 24 }, () => event(randomBytes(600_000).toString('base64')))
    for (let at = 0; at < large.length; at += 8)
      await writer.append([one('large', 'any', { events: large.slice(at, at + 8) })], { timeoutMs: 20_000 })
    const sizes: number[] = []
    for await (const { events } of writer.readAll()) sizes.push(events.length)
    expect(sizes.length).toBeGreaterThan(1)
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(24)
    for (const backwards of [false, true]) {
      const versions: number[] = []
      for await (const events of writer.readStream('large', { backwards })) versions.push(...events.map(({ version }) => version))
      const all = Array.from({ length: 24 }, (_, i) => i + 1)
      expect(versions).toEqual(backwards ? all.reverse() : all)
    }
    await writer.close()
  })
})
