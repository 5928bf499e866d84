import { expect, test } from 'vitest'
import { describeWith } from '../../../support/services.ts'
import { until } from '../support.ts'
import { bench, event, expectSound, logOf, one, told } from './support.ts'

describeWith('postgres', 'who waits for whom', () => {
  const { store, begin, clear, run, table } = bench('waiting')

  test('rule 2: a user’s transaction that holds a stream delays nobody who asks for others, in one batch with its own', async () => {
    await clear()
    const writer = store()
    await writer.open()
    const { tx, commit } = await begin()
    await writer.join(tx).append(one('held'))
    const held = writer.append([one('held', 1)], { timeoutMs: 20_000 })
    const others = await writer.append(Array.from({ length: 60 }, (_, i) => one(`free ${i}`)))
    expect(others.every(({ result }) => result === 'ok')).toBe(true)
    await commit()
    expect((await held).map(told)).toEqual(['ok 2 @62'])
    expectSound(await logOf(writer))
    await writer.close()
  })

  test('rule 2: a transaction that asks for what a batch has, while the batch asks for what it has, ends well for both', async () => {
    await clear()
    const writer = store()
    await writer.open()
    const { tx, commit } = await begin()
    await writer.join(tx).append(one('a'))
    const asked = writer.append([one('b'), one('a'), ...Array.from({ length: 30 }, (_, i) => one(`c${i}`))], { timeoutMs: 20_000 })
    const crossing = await writer.join(tx).append({
      writes: ['b', 'c7', 'd'].map((stream) => ({ stream, expect: 'any' as const, events: [event()] })),
    })
    expect(crossing.result).toBe('ok')
    await commit()
    for (const verdict of await asked) expect(verdict.result).toBe('ok')
    expectSound(await logOf(writer))
    await writer.close()
  })

  test('rule 2: a row that a user has locked by hand ends in STREAM_BUSY at the deadline, with nothing written', async () => {
    await clear()
    const writer = store()
    await writer.open()
    await writer.append([one('a')])
    const { tx, rollback } = await begin()
    await tx.query(`select from ${table('event_stream')} where stream = 'a' for update`)
    expect((await writer.append([one('a'), one('b')], { timeoutMs: 150 })).map(told)).toEqual(['none STREAM_BUSY', 'ok 1 @2'])
    await rollback()
    expect(await logOf(writer)).toHaveLength(2)
    expect((await writer.append([one('a', 1)])).map(told)).toEqual(['ok 2 @3'])
    await writer.close()
  })

  test('rule 2: names that nobody has used yet are raced for by stores, and one creation wins', async () => {
    await clear()
    const stores = [store(), store(), store()]
    for (const each of stores) await each.open()
    const verdicts = await Promise.all(
      stores.flatMap((each) => Array.from({ length: 20 }, (_, i) => each.append([one(`new ${i}`, 'none')], { timeoutMs: 20_000 }))),
    )
    const words = verdicts.map(([verdict]) => verdict?.result)
    expect([words.filter((word) => word === 'ok').length, words.filter((word) => word === 'conflict').length]).toEqual([20, 40])
    expectSound(await logOf(stores[0] as (typeof stores)[0]))
    for (const each of stores) await each.close()
  })

  test('rule 2: more new names in one call than the lock table should carry are all written', async () => {
    await clear()
    const writer = store()
    await writer.open()
    const tags = Array.from({ length: 300 }, (_, i) => `tag ${i}`)
    const events = Array.from({ length: 10 }, (_, i) => event(i, { tags: tags.slice(i * 30, i * 30 + 30) }))
    const verdicts = await writer.append([...Array.from({ length: 500 }, (_, i) => one(`s${i}`)), one('tagged', 'none', { events })])
    expect(verdicts.every(({ result }) => result === 'ok')).toBe(true)
    expect((await writer.stats()).batchSizeMax).toBeLessThanOrEqual(128)
    expect(await logOf(writer, { tags: ['tag 299'] })).toMatchObject([{ data: 9 }])
    await writer.close()
  })

  test('rule 2: a caller who leaves while others hold its stream is told that nothing was written, and nothing is', async () => {
    await clear()
    const writer = store()
    await writer.open()
    const { tx, commit } = await begin()
    await writer.join(tx).append(one('held'))
    const caller = new AbortController()
    const asked = writer.append([one('held')], { signal: caller.signal, timeoutMs: 60_000 })
    const waits = async () =>
      (await run("select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%event_append%'")).length > 0
    await until('it waits on the server', waits)
    caller.abort()
    expect((await asked).map(told)).toEqual(['none ABORTED'])
    await commit()
    expect((await writer.append([one('held', 1)])).map(told)).toEqual(['ok 2 @2'])
    await until('whoever it left has gone', async () => !(await waits()))
    expectSound(await logOf(writer))
    expect(await logOf(writer)).toHaveLength(2)
    await writer.close()
  })

  test('rule 6: disjoint tags never wait for each other, joined or not', async () => {
    await clear()
    const writer = store()
    await writer.open()
    const tagged = (tag: string, stream: string) =>
      one(stream, 'any', { events: [event(1, { tags: [tag] })], condition: { queries: [{ tags: [tag] }], after: 0n } })
    const [mine, yours] = [await begin(), await begin()]
    expect((await writer.join(mine.tx).append(tagged('x', 's1'))).result).toBe('ok')
    expect((await writer.join(yours.tx).append(tagged('y', 's2'))).result).toBe('ok')
    expect((await writer.append([tagged('z', 's3')])).map(told)).toEqual(['ok 1 @1'])
    await mine.commit()
    await yours.commit()
    expect((await writer.append([tagged('x', 's4'), tagged('y', 's5'), tagged('z', 's6')])).map(told)).toEqual([
      'conflict condition',
      'conflict condition',
      'conflict condition',
    ])
    await writer.close()
  })

  test('rule 6: of racers with overlapping conditions exactly one wins, in one batch, from several stores and joined', async () => {
    await clear()
    const stores = [store(), store()]
    for (const each of stores) await each.open()
    const seat = (stream: string) =>
      one(stream, 'any', {
        events: [event(1, { tags: ['seat', stream] })],
        condition: { queries: [{ tags: ['seat'] }, { tags: ['other'] }], after: 0n },
      })
    const joining = (async () => {
      const { tx, commit } = await begin()
      const verdict = await (stores[0] as (typeof stores)[0]).join(tx).append(seat('joined'), { timeoutMs: 20_000 })
      await commit()
      return [verdict]
    })()
    const verdicts = await Promise.all([
      joining,
      ...stores.flatMap((each, n) => Array.from({ length: 15 }, (_, i) => each.append([seat(`s${n} ${i}`)], { timeoutMs: 20_000 }))),
    ])
    const words = verdicts.map(([verdict]) => verdict?.result)
    expect([words.filter((word) => word === 'ok').length, words.filter((word) => word === 'conflict').length]).toEqual([1, 30])
    for (const each of stores) await each.close()
  })

  test('rule 6: a condition sees what was accepted before it in its own batch', async () => {
    await clear()
    const writer = store()
    await writer.open()
    const seat = (stream: string) =>
      one(stream, 'any', { events: [event(1, { tags: ['seat'] })], condition: { queries: [{ tags: ['seat'] }], after: 0n } })
    const verdicts = await writer.append([seat('a'), seat('b'), one('c'), seat('d')])
    expect(verdicts.map(told)).toEqual(['ok 1 @1', 'conflict condition', 'ok 1 @2', 'conflict condition'])
    expect(verdicts.map((verdict) => verdict.result === 'conflict' && verdict.missed.length)).toEqual([false, 1, false, 1])
    await writer.close()
  })

  test('rule 6: of a tag that was written since only what matches is a conflict', async () => {
    await clear()
    const writer = store()
    await writer.open()
    await writer.append([one('a', 'any', { events: [event(1, { type: 'seen', tags: ['x', 'y'] })] })])
    const when = (query: { types?: string[]; tags: string[] }, after = 0n) => one('b', 'any', { condition: { queries: [query], after } })
    const verdicts = await writer.append([
      when({ tags: ['x'], types: ['other'] }),
      when({ tags: ['x', 'z'] }),
      when({ tags: ['x', 'y'], types: ['seen'] }),
      when({ tags: ['x'] }, 1n),
      when({ tags: ['x'] }, 99n),
    ])
    expect(verdicts.map(told)).toEqual(['ok 1 @2', 'ok 2 @3', 'conflict condition', 'ok 3 @4', 'none LOG_RESET'])
    await writer.close()
  })
})
