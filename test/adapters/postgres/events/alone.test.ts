import { expect, test } from 'vitest'
import type { PgClient } from '../../../../src/adapters/postgres/client/client.ts'
import type { AppendRequest, Expectation } from '../../../../src/ports/event-store.ts'
import { describeWith } from '../../../support/services.ts'
import { clientFor } from '../support.ts'
import { bench, event, expectSound, logOf, one, streamOf, told } from './support.ts'

describeWith('postgres', 'an append that comes alone', () => {
  const { store, begin, clear, pooled } = bench('alone')

  /** A store, and by which of the functions it has asked since. */
  async function watched() {
    const asked: string[] = []
    const client = clientFor(pooled)
    const seen: PgClient = {
      ...client,
      query: (statement, values, call) => {
        const [, name] = /"(event_append\w*)"/.exec(statement.text) ?? []
        if (name !== undefined) asked.push(name)
        return client.query(statement, values, call)
      },
    }
    const writer = store({}, seen)
    await writer.open()
    const ask = async (request: AppendRequest): Promise<string> => {
      asked.length = 0
      const [verdict] = await writer.append([request], { timeoutMs: 5_000 })
      return [told(verdict), ...asked].join(' ')
    }
    return { writer, ask }
  }

  test('goes the short way, whatever is expected of its stream', async () => {
    await clear()
    const { writer, ask } = await watched()
    const cases: [stream: string, expect: Expectation, events: number, verdict: string][] = [
      ['a', 'none', 1, 'ok 1 @1'],
      ['a', 1, 3, 'ok 4 @4'],
      ['a', 'exists', 1, 'ok 5 @5'],
      ['a', 'any', 1, 'ok 6 @6'],
      ['b', 'any', 2, 'ok 2 @8'],
      ['c', 0, 1, 'ok 1 @9'],
    ]
    for (const [stream, expected, count, verdict] of cases) {
      const events = Array.from({ length: count }, (_, i) => event({ i }))
      expect(await ask(one(stream, expected, { events }))).toBe(`${verdict} event_append_one`)
    }
    const log = await logOf(writer)
    expectSound(log)
    expect(log.map(({ stream, data }) => [stream, (data as { i: number }).i])).toEqual(
      cases.flatMap(([stream, , count]) => Array.from({ length: count }, (_, i) => [stream, i])),
    )
    await writer.close()
  })

  test('leaves everything else to the long way, and has done nothing then', async () => {
    await clear()
    const { writer, ask } = await watched()
    await ask(one('a'))
    await ask(one('closed'))
    await writer.archive('closed')
    const both = 'event_append_one event_append'
    expect(await ask(one('a', 'none'))).toBe(`conflict stream ${both}`)
    expect(await ask(one('a', 7))).toBe(`conflict stream ${both}`)
    expect(await ask(one('b', 'exists'))).toBe(`conflict stream ${both}`)
    expect(await ask(one('b', 1))).toBe(`conflict stream ${both}`)
    expect(await ask(one('closed'))).toBe(`none STREAM_ARCHIVED ${both}`)
    const long = 'event_append'
    expect(await ask(one('a', 'any', { idempotencyKey: 'k' }))).toBe(`ok 2 @3 ${long}`)
    expect(await ask(one('a', 'any', { events: [event(1, { tags: ['t'] })] }))).toBe(`ok 3 @4 ${long}`)
    expect(await ask(one('a', 'any', { condition: { queries: [{ tags: ['t'] }], after: 4n } }))).toBe(`ok 4 @5 ${long}`)
    expect(await ask({ writes: [one('a').writes[0], one('b').writes[0]] as AppendRequest['writes'] })).toBe(`ok 5,1 @7 ${long}`)
    expect(await ask(one('a', 'any', { events: [] }))).toBe(`ok 5 @7 ${long}`)
    // The second was archived.
    expect((await logOf(writer)).map(({ position }) => Number(position))).toEqual([1, 3, 4, 5, 6, 7])
    await writer.close()
  })

  test('rule 1: joined events that were committed before it get their places before it', async () => {
    await clear()
    const { writer, ask } = await watched()
    const { tx, commit } = await begin()
    await writer.join(tx).append(one('joined', 'none', { events: [event(), event()] }))
    await commit()
    expect(await ask(one('a', 'none'))).toBe('ok 1 @3 event_append_one')
    expect((await logOf(writer)).map(({ stream }) => stream)).toEqual(['joined', 'joined', 'a'])
    await writer.close()
  })

  test.each(['none', 'any', 1] as const)('rule 2: waits for no transaction that holds its stream (%s)', async (expected) => {
    await clear()
    const { writer } = await watched()
    // More than may be on their way at once.
    const streams = ['a', 'b', 'c', 'd']
    if (expected === 1) await writer.append(streams.map((stream) => one(stream)))
    const { tx, rollback } = await begin()
    for (const stream of streams) expect(told(await writer.join(tx).append(one(stream)))).toMatch(/^ok/)
    const held: Promise<unknown>[] = []
    for (const stream of streams) {
      held.push(writer.append([one(stream, expected)], { timeoutMs: 10_000 }).then(([verdict]) => verdict))
      // Each in a turn of its own, so that it goes alone.
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    expect((await writer.append([one('other', 'none')]))[0]).toMatchObject({ result: 'ok' })
    await rollback()
    for (const verdict of await Promise.all(held)) expect(verdict).toMatchObject({ result: 'ok', versions: [expected === 1 ? 2 : 1] })
    await writer.close()
  })

  test('promise 2: of stores that race for a stream, new or not, exactly one wins', async () => {
    await clear()
    const stores = await Promise.all(Array.from({ length: 4 }, () => watched()))
    for (let round = 0; round < 40; round++) {
      const stream = `s${round >> 1}`
      const verdicts = await Promise.all(stores.map(({ writer }) => writer.append([one(stream, round % 2)])))
      expect(verdicts.map(([verdict]) => verdict?.result).sort()).toEqual(['conflict', 'conflict', 'conflict', 'ok'])
    }
    const [{ writer }] = stores as [(typeof stores)[0]]
    expectSound(await logOf(writer))
    for (const each of stores) await each.writer.close()
  })

  test('promise 2: ‘any’ never conflicts, new streams included', async () => {
    await clear()
    const stores = await Promise.all(Array.from({ length: 4 }, () => watched()))
    for (let round = 0; round < 25; round++)
      await Promise.all(
        stores.map(async ({ writer }) => expect((await writer.append([one(`s${round >> 1}`)]))[0]).toMatchObject({ result: 'ok' })),
      )
    const [{ writer }] = stores as [(typeof stores)[0]]
    const log = await logOf(writer)
    expect(log).toHaveLength(100)
    expectSound(log)
    for (const each of stores) await each.writer.close()
  })
})

describeWith('postgres', 'a batch of new streams', () => {
  const { store, clear } = bench('fresh')

  test('gives each its own events', async () => {
    await clear()
    const writer = store()
    await writer.open()
    const streams = Array.from({ length: 30 }, (_, i) => `new ${i}`)
    const events = (i: number) => Array.from({ length: 1 + (i % 3) }, (_, nth) => event({ i, nth }))
    const verdicts = await writer.append(streams.map((stream, i) => one(stream, 'none', { events: events(i) })))
    expect(verdicts.map(({ result }) => result)).toEqual(streams.map(() => 'ok'))
    for (const [i, stream] of streams.entries())
      expect((await streamOf(writer, stream)).map(({ data }) => data)).toEqual(events(i).map(({ data }) => data))
    expectSound(await logOf(writer))
    await writer.close()
  })

  test('answers each as it is, where some were there already', async () => {
    await clear()
    const writer = store()
    await writer.open()
    await writer.append([one('old'), one('gone')])
    await writer.tombstone('gone')
    const verdicts = await writer.append([
      one('a', 'none'),
      one('old', 'none'),
      one('b', 'none', { events: [event(), event()] }),
      one('gone', 'none'),
    ])
    expect(verdicts.map(told)).toEqual(['ok 1 @3', 'conflict stream', 'ok 2 @5', 'none STREAM_TOMBSTONED'])
    expect((await writer.append([one('a', 1), one('b', 2), one('c', 'none')])).map(told)).toEqual(['ok 2 @6', 'ok 3 @7', 'ok 1 @8'])
    await writer.close()
  })
})
