import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { Context } from '../../src/core/context.ts'
import type { SagaJournal } from '../../src/ports/saga-journal.ts'
import { saga } from '../../src/saga/index.ts'
import { errorOf, gate, journalWith, turns, world } from './world.ts'

interface Seen {
  readonly step: string
  readonly key: string
  readonly attempt: number
  readonly aborted: () => boolean
}

/** a → p, behind doors. */
function pair(version = 1) {
  const seen: Seen[] = []
  const doors = { a: gate<number>(), p: gate<number>() }
  const look = <T>(step: string, ctx: Context, answer: T): T => {
    seen.push({ step, key: ctx.idempotencyKey, attempt: ctx.attempt, aborted: () => ctx.aborted })
    return answer
  }
  const flow = saga('pair', { version, input: z.string() })
    .step('a', { run: (_, ctx) => look('a', ctx, doors.a.promise), undo: (_, ctx) => look('undo a', ctx, Promise.resolve()) })
    .pivot('p', { run: (_, ctx) => look('p', ctx, doors.p.promise) })
    .returns(({ a, p }) => a + p)
  return { flow, seen, doors }
}

describe('a process that takes over', () => {
  test('repeats a step that was begun, with the same key and the next attempt, and goes on from there', async () => {
    const { process, settle } = world()
    const one = pair()
    const first = await process([one.flow])
    await first.sagas.start(one.flow, 'x', { id: 's' })
    one.doors.a.open(1)
    await turns()
    await first.stop({ drainMs: 0 })
    const two = pair()
    two.doors.p.open(2)
    const second = await process([two.flow])
    const handle = second.sagas.get(two.flow, 's')
    expect(await settle(handle.result())).toBe(3)
    expect(two.seen).toMatchObject([{ step: 'p', attempt: 2, key: one.seen[1]?.key }])
    expect((await handle.timeline()).map(({ what }) => what)).toEqual([
      'started',
      'intent',
      'result',
      'intent',
      'resumed',
      'result',
      'done',
    ])
  })

  test('takes an attempt that was cut off for one that may have taken effect, and has it undone', async () => {
    const { process, settle } = world()
    const one = pair()
    const first = await process([one.flow])
    await first.sagas.start(one.flow, 'x', { id: 's' })
    await turns()
    await first.stop({ drainMs: 0 })
    const two = pair()
    two.doors.a.fail(Object.assign(new Error('nobody listens'), { code: 'ECONNREFUSED' }))
    const second = await process([two.flow])
    const end = await settle(errorOf(second.sagas.get(two.flow, 's').result()))
    expect(end).toMatchObject({ code: 'SAGA_UNDONE', cause: { code: 'ECONNREFUSED' } })
    expect(two.seen.at(-1)?.step).toBe('undo a')
  })

  test('waits for the lease of one that crashed, and half a second at most', async () => {
    const { process, settle } = world()
    const one = pair()
    const first = await process([one.flow], { journal: (inner) => journalWith(inner, { claim: once(inner) }), leaseMs: 10_000 })
    await first.sagas.start(one.flow, 'x', { id: 's' })
    const two = pair()
    two.doors.a.open(1)
    two.doors.p.open(2)
    const second = await process([two.flow], { leaseMs: 10_000 })
    expect(second.health()).toEqual({ status: 'ok', reason: 'standing by: another process runs the sagas' })
    const handle = second.sagas.get(two.flow, 's')
    expect(await settle(handle.result())).toBe(3)
    const timeline = await handle.timeline()
    const tookMs = (timeline.find(({ what }) => what === 'resumed')?.atEpochMs ?? 0) - (timeline[0]?.atEpochMs ?? 0)
    expect(tookMs).toBeGreaterThan(9_900)
    expect(tookMs).toBeLessThanOrEqual(10_500)
  })

  test('finds what a process without the lease started', async () => {
    const { process, settle } = world()
    const { flow, doors } = pair()
    doors.a.open(1)
    doors.p.open(2)
    await process([flow])
    const other = await process([flow])
    expect(await settle((await other.sagas.start(flow, 'x', { id: 's' })).result())).toBe(3)
  })

  test('continues thousands, page by page', async () => {
    const { process, settle } = world()
    const one = pair()
    const first = await process([one.flow])
    const ids = Array.from({ length: 1_300 }, (_, i) => `s${i}`)
    await Promise.all(ids.map((id) => first.sagas.start(one.flow, 'x', { id })))
    await first.stop({ drainMs: 0 })
    const two = pair()
    two.doors.a.open(1)
    two.doors.p.open(2)
    const second = await process([two.flow], { concurrent: 50, queued: 100 })
    await settle(Promise.all(ids.map((id) => second.sagas.get(two.flow, id).result())))
    expect((await second.sagas.list({ states: ['done'], limit: 2_000 })).length).toBe(1_300)
  })

  test('parks what was started under another definition, and leaves it alone until that one is back', async () => {
    const { process, settle } = world()
    const one = pair(1)
    const first = await process([one.flow])
    await first.sagas.start(one.flow, 'x', { id: 's' })
    await first.stop({ drainMs: 0 })
    const two = pair(2)
    const second = await process([two.flow])
    const end = await settle(errorOf(second.sagas.get(two.flow, 's').result()))
    expect(end).toMatchObject({ code: 'SAGA_STUCK', message: expect.stringContaining('it was started as version 1') })
    expect(two.seen).toEqual([])
    expect(await errorOf(second.sagas.retry('s'))).toMatchObject({ code: 'DECLINED' })
    await second.stop({ drainMs: 0 })
    const three = pair(1)
    three.doors.a.open(1)
    three.doors.p.open(2)
    const third = await process([three.flow])
    await third.sagas.retry('s')
    expect(await settle(third.sagas.get(three.flow, 's').result())).toBe(3)
  })

  test('leaves sagas that it does not know in the journal, and says so', async () => {
    const { process, clock } = world()
    const one = pair()
    const first = await process([one.flow])
    await first.sagas.start(one.flow, 'x', { id: 's' })
    await first.stop({ drainMs: 0 })
    const second = await process([])
    await clock.advance(5_000)
    expect(second.health()).toMatchObject({ status: 'degraded', reason: expect.stringContaining('pair') })
    expect(await second.sagas.list()).toMatchObject([{ id: 's', state: 'running', seq: 2 }])
  })

  test('has a step that is cut off again and again count as failed', async () => {
    const { process, settle } = world()
    for (let life = 0; life < 4; life++) {
      const { flow } = pair()
      const engine = await process([flow], { interruptionsMax: 2 })
      if (life === 0) await engine.sagas.start(flow, 'x', { id: 's' })
      await turns()
      if (life < 3) await engine.stop({ drainMs: 0 })
      else
        expect(await settle(errorOf(engine.sagas.get(flow, 's').result()))).toMatchObject({
          code: 'SAGA_UNDONE',
          cause: { code: 'FAILED' },
        })
    }
  })
})

describe('a process that loses its lease', () => {
  test('aborts what runs, writes nothing more, and leaves the saga to its new owner', async () => {
    const { process, settle, clock, store } = world()
    const one = pair()
    const first = await process([one.flow], { journal: (inner) => journalWith(inner, { claim: once(inner) }) })
    await first.sagas.start(one.flow, 'x', { id: 's' })
    await turns()
    expect(one.seen[0]?.aborted()).toBe(false)
    const two = pair()
    const second = await process([two.flow])
    await clock.advance(10_100)
    expect(one.seen[0]?.aborted()).toBe(true)
    await clock.advance(4_000)
    const before = store.sagas.get('s')?.head.seq
    one.doors.a.open(1)
    await turns()
    expect(store.sagas.get('s')?.head.seq).toBe(before)
    two.doors.a.open(10)
    two.doors.p.open(2)
    expect(await settle(second.sagas.get(two.flow, 's').result())).toBe(12)
    expect(one.seen.map(({ step }) => step)).toEqual(['a'])
  })

  test('without noticing, because it was paused, is told by the journal, and stops', async () => {
    const { process, settle, store } = world()
    const one = pair()
    const first = await process([one.flow])
    const handle = await first.sagas.start(one.flow, 'x', { id: 's' })
    await turns()
    // Another owner, while this process believes in its lease.
    const lease = store.leases.get(0)
    Object.assign(lease as object, { owner: 'other', epoch: (lease?.epoch ?? 0) + 1 })
    const before = store.sagas.get('s')?.head.seq
    one.doors.a.open(1)
    await turns()
    expect(store.sagas.get('s')?.head.seq).toBe(before)
    expect(one.seen.map(({ step }) => step)).toEqual(['a'])
    expect(first.health().reason).toMatch(/standing by/)
    Object.assign(lease as object, { owner: null })
    one.doors.p.open(2)
    expect(await settle(handle.result())).toBe(3)
  })

  test('claims it again and continues', async () => {
    const { process, settle, clock } = world()
    const { flow, doors, seen } = pair()
    let down = false
    const engine = await process([flow], {
      journal: (inner) =>
        journalWith(inner, { claim: (owner, options) => (down ? Promise.reject(new Error('no route')) : inner.claim(owner, options)) }),
    })
    const handle = await engine.sagas.start(flow, 'x', { id: 's' })
    await turns()
    down = true
    await clock.advance(11_000)
    expect(seen[0]?.aborted()).toBe(true)
    down = false
    doors.a.open(1)
    doors.p.open(2)
    expect(await settle(handle.result())).toBe(3)
    expect(seen.map(({ step, attempt }) => [step, attempt])).toEqual([
      ['a', 1],
      ['a', 2],
      ['p', 1],
    ])
  })
})

describe('a stop', () => {
  test('lets the attempt under way end and be recorded, and begins no other', async () => {
    const { process, store } = world()
    const { flow, doors, seen } = pair()
    const engine = await process([flow])
    await engine.sagas.start(flow, 'x', { id: 's' })
    await turns()
    const stopping = engine.stop({ drainMs: 5_000 })
    expect(await errorOf(engine.sagas.start(flow, 'x', { id: 't' }))).toMatchObject({ code: 'NOT_STARTED', effect: 'none' })
    doors.a.open(1)
    await stopping
    expect(store.sagas.get('s')?.records.map(({ kind }) => kind)).toEqual(['started', 'intent', 'result'])
    expect(seen.map(({ step }) => step)).toEqual(['a'])
    expect(store.leases.get(0)?.owner).toBe(null)
  })

  test('aborts what has not ended after drainMs, and leaves it to be repeated', async () => {
    const { process, store, clock } = world()
    const { flow, seen } = pair()
    const engine = await process([flow])
    await engine.sagas.start(flow, 'x', { id: 's' })
    await turns()
    const stopping = engine.stop({ drainMs: 5_000 })
    await clock.advance(4_999)
    expect(seen[0]?.aborted()).toBe(false)
    await clock.advance(1)
    await stopping
    expect(seen[0]?.aborted()).toBe(true)
    expect(store.sagas.get('s')?.records.map(({ kind }) => kind)).toEqual(['started', 'intent'])
    expect(clock.pending).toBe(0)
  })

  test('cuts waits between attempts short', async () => {
    const { process, clock } = world()
    const flow = saga('waits', { version: 1, input: z.string() })
      .pivot('p', { run: async () => Promise.reject(new Error('lost')), retry: { delayMs: 30_000 } })
      .returns(() => 1)
    const engine = await process([flow])
    await engine.sagas.start(flow, 'x', { id: 's' })
    await turns()
    await engine.stop({ drainMs: 60_000 })
    expect(clock.nowMs()).toBe(0)
  })
})

/** The claim of a process that can claim once, and then hangs: as if it had crashed. */
function once(inner: SagaJournal): SagaJournal['claim'] {
  let claimed = false
  return (owner, options) => {
    if (claimed) return new Promise((_, reject) => options.signal?.addEventListener('abort', () => reject(new Error('aborted'))))
    claimed = true
    return inner.claim(owner, options)
  }
}
