import { describe, expect, test } from 'vitest'
import { type BulkheadOptions, bulkhead, createContext, metrics, policies, timeout } from '../../src/index.ts'
import { testClock } from '../../src/testing/test-clock.ts'
import { boom, codeOf, countedSignal, deferred, errorOf, settled, thrownBy } from './support.ts'

/** A bulkhead whose slots are taken, and what lets its running call end. */
async function busy(options: BulkheadOptions = {}) {
  const clock = testClock()
  const slots = bulkhead({
    name: 'k',
    concurrent: 1,
    queued: 1_000,
    ...(options.queueTimeoutMs === undefined ? {} : { clock }),
    ...options,
  })
  const first = deferred()
  const running = slots.run(() => first.promise)
  const order: string[] = []
  const wait = (label: string, tenant?: string, keys?: Record<string, string>) =>
    slots.tryRun(() => void order.push(label), {
      context: createContext({ ...(tenant === undefined ? {} : { tenant }), ...(keys === undefined ? {} : { keys }) }),
    })
  const drain = async () => {
    first.resolve(1)
    await running
    await settled()
    return order
  }
  return { clock, slots, first, running, order, wait, drain }
}

describe('order', () => {
  test('priority: the highest first, and of equals the oldest', async () => {
    const rank = (ctx: { readonly keys: Readonly<Record<string, string>> }) => Number(ctx.keys.rank)
    const { wait, drain } = await busy({ order: { priority: rank } })
    for (const [label, r] of ['a1', 'b3', 'c2', 'd3', 'e1', 'f-1', 'gx'].map((l) => [l, l.slice(1)] as const))
      void wait(label, undefined, { rank: r })
    expect(await drain()).toEqual(['b3', 'd3', 'c2', 'a1', 'e1', 'gx', 'f-1'])
  })

  test('priority: a function that throws costs nobody the place', async () => {
    const { wait, drain } = await busy({ order: { priority: boom } })
    for (const label of ['a', 'b', 'c']) void wait(label)
    expect(await drain()).toEqual(['a', 'b', 'c'])
  })

  test('fair: tenants take turns, however many calls of one wait', async () => {
    const { wait, drain } = await busy({ order: { fairBy: 'tenant' } })
    for (let n = 0; n < 6; n++) void wait(`a${n}`, 'a')
    for (let n = 0; n < 2; n++) void wait(`b${n}`, 'b')
    void wait('none')
    expect(await drain()).toEqual(['a0', 'b0', 'none', 'a1', 'b1', 'a2', 'a3', 'a4', 'a5'])
  })

  test('fair: in proportion to the weights, by a key of the context', async () => {
    const { wait, drain } = await busy({ order: { fairBy: 'plan', weight: (key) => (key === 'gold' ? 3 : 1) } })
    for (let n = 0; n < 40; n++) for (const plan of ['gold', 'tin']) void wait(plan, undefined, { plan })
    const served = await drain()
    expect(served.slice(0, 40).filter((plan) => plan === 'gold')).toHaveLength(30)
  })

  test('fair: one that always has a single call waiting is not served before all others', async () => {
    const slots = bulkhead({ concurrent: 1, queued: 100, order: { fairBy: 'tenant' } })
    const served: string[] = []
    const call = (tenant: string, again: number): Promise<void> =>
      slots.run(
        async () => {
          served.push(tenant)
          if (again > 0) void call(tenant, again - 1)
          await settled()
        },
        { context: createContext({ tenant }) },
      )
    void call('eager', 8)
    for (let n = 0; n < 8; n++) void call('b', 0)
    for (let n = 0; n < 100; n++) await settled()
    expect(served).toHaveLength(17)
    expect(served.slice(1, 9).filter((tenant) => tenant === 'eager')).toHaveLength(4)
  })

  test('fair: a key or weight that cannot be had costs nobody the place', async () => {
    const { wait, drain } = await busy({ order: { fairBy: boom, weight: () => Number.NaN } })
    for (const label of ['a', 'b', 'c']) void wait(label, label)
    expect(await drain()).toEqual(['a', 'b', 'c'])
  })

  test.each([
    { priority: 3 },
    { fairBy: '' },
    { fairBy: 'tenant', weight: 2 },
    { priority: () => 1, fairBy: 'tenant' },
    'lifo',
    null,
    { fairBy: 'x', more: 1 },
  ])('refuses %j', (order) => expect(thrownBy(() => bulkhead({ queued: 1, order: order as never })).code).toBe('INVALID_OPTIONS'))

  test('refuses an order, or a time, of a queue that is not there', () => {
    expect(thrownBy(() => bulkhead({ order: { fairBy: 'tenant' } })).message).toContain('order')
    expect(thrownBy(() => bulkhead({ queueTimeoutMs: 5 })).message).toContain('queueTimeoutMs')
  })
})

describe('queueTimeoutMs', () => {
  test('a call that waited so long is refused, and one timer serves all', async () => {
    const { clock, slots, wait } = await busy({ queueTimeoutMs: 100 })
    const one = wait('one')
    await clock.advance(60)
    const two = wait('two')
    expect(clock.pending).toBe(1)
    await clock.advance(40)
    expect(errorOf(await one)).toMatchObject({ code: 'QUEUE_TIMEOUT', effect: 'none', retry: 'later' })
    expect(slots.stats()).toMatchObject({ waiting: 1, timedOut: 1 })
    await clock.advance(60)
    expect(codeOf(await two)).toBe('QUEUE_TIMEOUT')
    await settled()
    expect(clock.pending).toBe(0)
  })

  test('one that was served, or whose caller gave up, has no timer left', async () => {
    const { clock, slots, wait, drain } = await busy({ queueTimeoutMs: 100 })
    const { signal, abort, listeners } = countedSignal()
    void wait('served')
    const gone = slots.tryRun(() => 1, { signal })
    abort()
    expect(codeOf(await gone)).toBe('ABORTED')
    expect(await drain()).toEqual(['served'])
    await settled()
    expect([clock.pending, listeners(), slots.stats().gaveUp]).toEqual([0, 0, 1])
    await clock.advance(1_000)
    expect(slots.stats()).toMatchObject({ timedOut: 0, running: 0, waiting: 0, abandoned: 0 })
  })

  test('those who wait keep the time they began with', async () => {
    const { clock, slots, wait } = await busy({ queueTimeoutMs: 100 })
    const one = wait('one')
    slots.reconfigure({ queueTimeoutMs: 10 })
    const two = wait('two')
    await clock.advance(10)
    expect(codeOf(await two)).toBe('QUEUE_TIMEOUT')
    expect(slots.waiting).toBe(1)
    await clock.advance(90)
    expect(codeOf(await one)).toBe('QUEUE_TIMEOUT')
  })

  test('tells of it', async () => {
    const { clock, slots, wait } = await busy({ queueTimeoutMs: 100 })
    const events: unknown[] = []
    slots.on('timedOut', (event) => events.push(event))
    void wait('one')
    await clock.advance(100)
    expect(events).toEqual([{ name: 'k', queueTimeoutMs: 100 }])
  })
})

describe('reconfigure', () => {
  test('more slots admit waiters at once, in order', async () => {
    const { slots, order, wait } = await busy()
    for (const label of ['a', 'b', 'c']) void wait(label)
    const last = deferred()
    void slots.run(() => last.promise)
    slots.reconfigure({ concurrent: 3 })
    await settled()
    expect(order).toEqual(['a', 'b', 'c'])
    expect(slots.stats()).toMatchObject({ running: 2, waiting: 0, concurrent: 3 })
    last.resolve(1)
  })

  test('fewer slots let running calls finish, and admit nobody before they have', async () => {
    const slots = bulkhead({ concurrent: 3, queued: 9 })
    const works = [deferred(), deferred(), deferred(), deferred()]
    const calls = works.map((work) => slots.run(() => work.promise))
    slots.reconfigure({ concurrent: 1 })
    for (const [n, left] of [3, 2, 1, 1].entries()) {
      expect(slots.running).toBe(left)
      works[n]?.resolve(n)
      await calls[n]
    }
    expect(slots.stats()).toMatchObject({ running: 0, waiting: 0 })
  })

  test('a shorter queue keeps those that wait, and refuses newcomers', async () => {
    const { slots, wait, drain } = await busy()
    void wait('a')
    void wait('b')
    slots.reconfigure({ queued: 0 })
    expect(codeOf(await wait('c'))).toBe('BULKHEAD_FULL')
    expect(await drain()).toEqual(['a', 'b'])
  })

  test('refuses what it cannot do, and then nothing has changed', async () => {
    const { slots } = await busy()
    for (const changes of [{ concurrent: 0 }, { concurrent: 5, queued: -1 }, { order: 'fifo' }])
      expect(thrownBy(() => slots.reconfigure(changes as object)).code).toBe('INVALID_OPTIONS')
    expect(slots.stats()).toMatchObject({ concurrent: 1, queued: 1_000 })
  })
})

describe('abandonedMax', () => {
  test('so many abandoned calls give their slots back; those beyond keep them until they settle', async () => {
    const clock = testClock()
    const slots = bulkhead({ concurrent: 2, abandonedMax: 1, clock })
    const guard = policies(slots, timeout({ timeoutMs: 10, clock }))
    const works = [deferred(), deferred(), deferred()]
    const first = [guard.tryRun(() => works[0]?.promise), guard.tryRun(() => works[1]?.promise)]
    await clock.advance(10)
    expect((await Promise.all(first)).map(codeOf)).toEqual(['TIMEOUT', 'TIMEOUT'])
    expect(slots.stats()).toMatchObject({ running: 1, abandoned: 2 })
    const third = guard.tryRun(() => works[2]?.promise)
    expect(codeOf(await guard.tryRun(boom))).toBe('BULKHEAD_FULL')
    works[0]?.resolve(1)
    await settled()
    expect(slots.stats()).toMatchObject({ running: 1, abandoned: 1 })
    works[1]?.resolve(1)
    works[2]?.resolve(1)
    expect(codeOf(await third)).toBe('ok')
    expect(slots.stats()).toMatchObject({ running: 0, abandoned: 0 })
  })

  test('raised while they are out, it frees their slots', async () => {
    const clock = testClock()
    const slots = bulkhead({ concurrent: 1, queued: 1, clock })
    const guard = policies(slots, timeout({ timeoutMs: 10, clock }))
    const work = deferred()
    void guard.tryRun(() => work.promise)
    await clock.advance(10)
    const waiter = guard.tryRun(() => 'served')
    expect(slots.waiting).toBe(1)
    slots.reconfigure({ abandonedMax: 1 })
    expect(codeOf(await waiter)).toBe('ok')
    work.resolve(1)
    await settled()
    expect(slots.stats()).toMatchObject({ running: 0, waiting: 0, abandoned: 0 })
  })
})

test('its numbers are in the registry, and it tells of refusals', async () => {
  const { slots } = await busy({ name: 'seen', queued: 0 })
  const events: unknown[] = []
  slots.on('refused', (event) => events.push(event))
  expect(codeOf(await slots.tryRun(boom))).toBe('BULKHEAD_FULL')
  expect(events).toEqual([{ name: 'seen', running: 1, waiting: 0 }])
  const entry = metrics().find(({ name }) => name === 'seen')
  expect(entry).toMatchObject({ policy: 'bulkhead', stats: { running: 1, admitted: 1, refused: 1 } })
})
