import { expect, test } from 'vitest'
import type { PgClient } from '../../../../src/adapters/postgres/client/client.ts'
import { logLock } from '../../../../src/adapters/postgres/events/sql/locks.ts'
import type { StoredEvent } from '../../../../src/ports/event-store.ts'
import { describeWith } from '../../../support/services.ts'
import { clientFor, until } from '../support.ts'
import { bench, event, expectSound, logOf, one, streamOf, told } from './support.ts'

describeWith('postgres', 'order in the log', () => {
  const { store, begin, clear, run, table, schema, pooled } = bench('order')

  test('rule 1: committed joined events get places below a batch’s own, per stream in the order of versions', async () => {
    await clear()
    const stores = [store(), store()]
    for (const each of stores) await each.open()
    const [first, second] = stores as [(typeof stores)[0], (typeof stores)[0]]
    const streams = ['a', 'b', 'c']
    const users = streams.map(async (stream) => {
      for (let round = 0; round < 15; round++) {
        const { tx, commit, rollback } = await begin()
        const verdict = await first.join(tx).append(one(stream, 'any', { events: [event(), event()] }), { timeoutMs: 10_000 })
        if (verdict.result === 'ok' && round % 4 !== 3) await commit()
        else await rollback()
      }
    })
    const seen: StoredEvent[] = []
    const done = new AbortController()
    const reading = (async () => {
      for await (const { events } of second.subscribe({ signal: done.signal })) seen.push(...events)
    })()
    const writers = [first, second].flatMap((each) =>
      streams.map(async (stream) => {
        for (let round = 0; round < 20; round++) {
          const [verdict] = await each.append([one(stream)], { timeoutMs: 20_000 })
          expect(verdict?.result).toBe('ok')
        }
      }),
    )
    await Promise.all([...users, ...writers])
    const events = await logOf(first)
    expect(events.length).toBeGreaterThanOrEqual(120)
    expectSound(events)
    for (const stream of streams) expect(await streamOf(first, stream)).toEqual(events.filter((each) => each.stream === stream))
    await until('the reader is at the head', () => seen.length >= events.length)
    done.abort()
    await reading
    expect(seen).toEqual(events)
    for (const each of stores) await each.close()
  })

  test('rule 1: readers find joined events that are committed, also when nobody appends', async () => {
    await clear()
    const reader = store()
    await reader.open()
    const { tx, commit } = await begin()
    await reader.join(tx).append(one('a'))
    expect(await logOf(reader)).toEqual([])
    await commit()
    expect((await reader.stats()).pendingJoined).toBe(1)
    expectSound(await logOf(reader))
    expect((await reader.stats()).pendingJoined).toBe(0)
    await reader.close()
  })

  test('rule 1: who waits at the log’s lock holds no reader up, and joined writes do not wait for it', async () => {
    await clear()
    const writer = store()
    await writer.open()
    await writer.append([one('a')])
    const holder = await begin()
    await holder.tx.query(`select pg_advisory_xact_lock(${logLock({ schema, prefix: '' })})`)
    const waiting = writer.append([one('b')])
    const waits = async () =>
      (await run("select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%event_append%'")).length > 0
    await until('the batch waits', waits)
    expect(await logOf(writer)).toHaveLength(1)
    const { tx, commit } = await begin()
    expect(told(await writer.join(tx).append(one('c')))).toBe('ok 1 @undefined')
    await commit()
    expect(await streamOf(writer, 'c')).toMatchObject([{ version: 1, position: undefined }])
    await holder.commit()
    expect((await waiting).map(told)).toEqual(['ok 1 @3'])
    expect((await logOf(writer)).map(({ stream }) => stream)).toEqual(['a', 'c', 'b'])
    await writer.close()
  })

  test('rule 3: verdicts are given in the order of arrival inside a batch, several streams are one verdict', async () => {
    await clear()
    const writer = store()
    await writer.open()
    const two = (x: number, y: number) => ({
      writes: [
        { stream: 'x', expect: x, events: [event()] },
        { stream: 'y', expect: y, events: [event()] },
      ],
    })
    const verdicts = await writer.append([
      one('x', 'none'),
      one('x', 'none'),
      one('x', 1),
      two(2, 1),
      two(2, 0),
      two(2, 0),
      one('y', 1),
      one('y', 'any'),
    ])
    expect(verdicts.map(told)).toEqual([
      'ok 1 @1',
      'conflict stream',
      'ok 2 @2',
      'conflict stream',
      'ok 3,1 @4',
      'conflict stream',
      'ok 2 @5',
      'ok 3 @6',
    ])
    expectSound(await logOf(writer))
    await writer.close()
  })

  test('rule 3: what one process asks of a stream is decided in the order in which it was asked, also while others hold it', async () => {
    await clear()
    const writer = store()
    await writer.open()
    const { tx, commit } = await begin()
    await writer.join(tx).append(one('held', 'any', { events: [event('joined')] }))
    const asked = Array.from({ length: 40 }, (_, i) =>
      writer.append([one(i % 3 === 0 ? 'held' : 'free', 'any', { events: [event(i)] })], { timeoutMs: 20_000 }),
    )
    await Promise.all(asked.filter((_, i) => i % 3 !== 0))
    await commit()
    for (const verdicts of await Promise.all(asked)) expect(verdicts[0]?.result).toBe('ok')
    for (const stream of ['held', 'free']) {
      const numbers = (await streamOf(writer, stream)).map(({ data }) => data).filter((data) => data !== 'joined')
      expect(numbers).toEqual([...numbers].sort((a, b) => Number(a) - Number(b)))
    }
    expectSound(await logOf(writer))
    await writer.close()
  })

  test('rule 3: who comes after a request that others hold up, and shares a stream with it, stays behind it', async () => {
    await clear()
    const writer = store()
    await writer.open()
    const { tx, commit } = await begin()
    await writer.join(tx).append(one('held'))
    const writes = ['held', 'shared'].map((stream) => ({ stream, expect: 'any' as const, events: [event('first')] }))
    const asked = writer.append([{ writes }, one('shared', 'any', { events: [event('second')] }), one('free')], { timeoutMs: 20_000 })
    await writer.append([one('later')])
    await commit()
    expect((await asked).map(({ result }) => result)).toEqual(['ok', 'ok', 'ok'])
    expect((await streamOf(writer, 'shared')).map(({ data }) => data)).toEqual(['first', 'second'])
    await writer.close()
  })

  test('rule 3: a stream that is in flight is not in this process’s other batch', async () => {
    await clear()
    const real = clientFor(pooled)
    let release = (): void => {}
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    let appends = 0
    const slow: PgClient = {
      ...real,
      query: async (statement, values, call) => {
        if (statement.text.includes('event_append') && appends++ === 0) await released
        return await real.query(statement, values, call)
      },
    }
    const writer = store({}, slow)
    await writer.open()
    const first = writer.append([one('x', 'any', { events: [event('first')] })])
    await until('it is on its way', () => appends === 1)
    const second = writer.append([one('x', 'any', { events: [event('second')] })])
    expect((await writer.append([one('free')])).map(told)).toEqual(['ok 1 @1'])
    release()
    await Promise.all([first, second])
    expect((await streamOf(writer, 'x')).map(({ data }) => data)).toEqual(['first', 'second'])
    await writer.close()
  })

  test('rule 3: a loser is told at most a hundred events of what it has not seen', async () => {
    await clear()
    const writer = store()
    await writer.open()
    await writer.append([one('long', 'none', { events: Array.from({ length: 150 }, (_, i) => event(i)) })])
    const [all, tail] = await writer.append([one('long', 3), one('long', 60)])
    expect(all?.result === 'conflict' && [all.actual, all.missed.length, all.missed[0]?.version, all.truncated]).toEqual([
      150,
      100,
      4,
      true,
    ])
    expect(tail?.result === 'conflict' && [tail.actual, tail.missed.length, tail.missed[0]?.version, tail.truncated]).toEqual([
      150,
      90,
      61,
      false,
    ])
    await writer.close()
  })

  test('rule 12: a long snapshot, in this database or another, makes no reader skip and no writer wait', async () => {
    await clear()
    const writer = store()
    await writer.open()
    const old = await begin('begin isolation level repeatable read')
    await old.tx.query(`select count(*) from ${table('event')}`)
    for (let i = 0; i < 20; i++) expect((await writer.append([one(`s${i}`)])).map(told)).toEqual([`ok 1 @${i + 1}`])
    expectSound(await logOf(writer))
    expect((await writer.stats()).oldestSnapshotMs).toBeGreaterThan(0)
    await old.rollback()
    await writer.close()
  })
})
