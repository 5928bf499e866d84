import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createContext } from '../../src/core/create-context.ts'
import { event } from '../../src/messaging/index.ts'
import { gate, idleRig, noting, OrderPlaced, OrderSeen, order, rejection, rig } from './support.ts'

describe('publishing', () => {
  test('answers with the id that the handler sees, once the message is in the queue', async () => {
    const { seen, subscription } = noting()
    const { bus, clock, transport, stop } = await rig([subscription])
    const publishing = bus.publish(OrderPlaced, order('o-1', 12))
    const { id } = await publishing
    expect((await transport.stats()).groups[0]).toMatchObject({ group: 'billing' })
    await clock.advance(0)
    expect(seen.map(({ message }) => [message.id, message.data])).toEqual([[id, { orderId: 'o-1', total: 12 }]])
    await stop()
  })

  test('confirms and drops an event nobody subscribes to', async () => {
    const { bus, transport, stop } = await rig([])
    await expect(bus.publish(OrderPlaced, order('o-1'))).resolves.toMatchObject({ id: expect.any(String) })
    expect((await transport.stats()).groups).toEqual([])
    await stop()
  })

  test('refuses what the schema refuses, names the issues and publishes nothing', async () => {
    const { seen, subscription } = noting()
    const { bus, clock, stop } = await rig([subscription])
    const error = await rejection(bus.publish(OrderPlaced, { orderId: 7 } as never))
    expect(error).toMatchObject({
      code: 'INVALID_INPUT',
      effect: 'none',
      retry: 'never',
      message: expect.stringContaining('shop.order.placed'),
    })
    expect((error.details as { issues: { path: string }[] }).issues.map((issue) => issue.path)).toEqual(['orderId', 'total'])
    await clock.advance(0)
    expect(seen).toEqual([])
    await stop()
  })

  test('sends what the schema made of the payload', async () => {
    const { seen, subscription } = noting()
    const { bus, clock, stop } = await rig([subscription])
    await bus.publish(OrderPlaced, { ...order('o-1'), password: 'secret', at: new Date() } as never)
    await clock.advance(0)
    expect(seen[0]?.message.data).toEqual(order('o-1'))
    await stop()
  })

  test('refuses what is not JSON, naming the place, and publishes nothing', async () => {
    const Loose = event('loose', { schema: z.object({ at: z.unknown() }) })
    const { seen, subscription } = noting({ event: Loose as never })
    const { bus, clock, stop } = await rig([subscription])
    expect(await rejection(bus.publish(Loose, { at: new Date() }))).toMatchObject({
      code: 'NOT_JSON',
      effect: 'none',
      message: expect.stringContaining('loose.at: Date'),
    })
    await clock.advance(0)
    expect(seen).toEqual([])
    await stop()
  })

  test.each(['', 'x'.repeat(256), 7, undefined])('refuses the key %j', async (key) => {
    const Keyed = event('keyed', { schema: z.object({}), key: () => key as string })
    const { bus, stop } = await rig([])
    expect(await rejection(bus.publish(Keyed, {}))).toMatchObject({
      code: 'INVALID_INPUT',
      effect: 'none',
      message: expect.stringContaining('keyed: its key'),
    })
    await stop()
  })

  test('refuses a transaction before any effect, started or not', async () => {
    const { seen, subscription } = noting()
    const { bus, clock, stop } = idleRig([subscription])
    const expected = {
      code: 'TX_NOT_OPEN',
      effect: 'none',
      retry: 'never',
      message: expect.stringContaining('the memory transport has no transactions'),
    }
    expect(await rejection(bus.publish(OrderPlaced, order('o-1'), { tx: {} }))).toMatchObject(expected)
    await bus.start()
    expect(await rejection(bus.publish(OrderPlaced, order('o-1'), { tx: {} }))).toMatchObject(expected)
    await clock.advance(0)
    expect(seen).toEqual([])
    await stop()
  })

  test('works from start to stop, and answers NOT_STARTED otherwise', async () => {
    const { bus, stop } = idleRig([])
    const expected = { code: 'NOT_STARTED', effect: 'none', retry: 'later' }
    expect(await rejection(bus.publish(OrderPlaced, order('o-1')))).toMatchObject(expected)
    await bus.start()
    await bus.publish(OrderPlaced, order('o-1'))
    await stop()
    expect(await rejection(bus.publish(OrderPlaced, order('o-1')))).toMatchObject(expected)
  })

  test('refuses something that is no event, and unknown options', async () => {
    const { bus, stop } = await rig([])
    expect(await rejection(bus.publish(undefined as never, {} as never))).toMatchObject({ code: 'INVALID_OPTIONS', effect: 'none' })
    expect(await rejection(bus.publish(OrderPlaced, order('o-1'), { key: 'x' } as never))).toMatchObject({ code: 'INVALID_OPTIONS' })
    expect(await rejection(bus.publish(OrderPlaced, order('o-1'), { context: {} } as never))).toMatchObject({ code: 'INVALID_OPTIONS' })
    await stop()
  })

  test('takes the same idempotency key for the same message, per event', async () => {
    const placed = noting()
    const paid = noting({ event: OrderSeen as never })
    const { bus, clock, stop } = await rig([placed.subscription, paid.subscription])
    const one = await bus.publish(OrderPlaced, order('o-1'), { idempotencyKey: 'k' })
    const two = await bus.publish(OrderPlaced, order('o-1'), { idempotencyKey: 'k' })
    const other = await bus.publish(OrderSeen, order('o-1'), { idempotencyKey: 'k' })
    expect(two.id).toBe(one.id)
    expect(other.id).not.toBe(one.id)
    await bus.publish(OrderPlaced, order('o-1'), { idempotencyKey: 'l' })
    await clock.advance(0)
    expect([placed.seen.length, paid.seen.length]).toEqual([2, 1])
    await stop()
  })

  test('gives a message the correlation, cause, tenant and trace of its context, and not its deadline', async () => {
    const { seen, subscription } = noting()
    const { bus, clock, stop } = await rig([subscription], { service: 'shop' })
    const trace = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', flags: 1, state: 'a=1' }
    const context = createContext({ clock, correlationId: 'c-1', causationId: 'm-0', tenant: 'acme', trace, timeoutMs: 5_000 })
    const { id } = await bus.publish(OrderPlaced, order('o-1'), { context })
    await clock.advance(0)
    expect(seen[0]?.message).toEqual({
      id,
      name: 'shop.order.placed',
      version: 1,
      data: order('o-1'),
      attempt: 1,
      key: 'o-1',
      publishedEpochMs: clock.epochMs(),
      correlationId: 'c-1',
      causationId: 'm-0',
      tenant: 'acme',
      source: 'shop',
    })
    expect(seen[0]?.ctx.trace).toEqual(trace)
    await stop()
  })
})

describe('publishing into a full queue', () => {
  const full = async (bounds: { readonly full?: 'wait' | 'refuse'; readonly waiting?: number } = {}) => {
    const busy = gate()
    const { seen, subscription } = noting({ handle: () => busy.opened })
    const made = await rig([subscription], { bounds: { queued: 1, ...bounds } })
    await made.bus.publish(OrderPlaced, order('o-1'))
    return { ...made, busy, seen }
  }

  test('waits for room', async () => {
    const { bus, clock, busy, seen, stop } = await full()
    const waiting = bus.publish(OrderPlaced, order('o-2'))
    await clock.advance(1_000)
    expect(seen).toHaveLength(1)
    busy.open()
    await waiting
    await clock.advance(0)
    expect(seen).toHaveLength(2)
    expect(clock.pending).toBe(0)
    await stop()
  })

  test('leaves at once when the signal of its context aborts', async () => {
    const { bus, clock, busy, seen, stop } = await full()
    const caller = new AbortController()
    const waiting = rejection(bus.publish(OrderPlaced, order('o-2'), { context: createContext({ clock, signal: caller.signal }) }))
    await clock.advance(10)
    caller.abort()
    expect(await waiting).toMatchObject({ code: 'ABORTED', effect: 'none', retry: 'never' })
    busy.open()
    await clock.advance(10_000)
    expect(seen).toHaveLength(1)
    await stop()
  })

  test('gives a message the time after which it is of no use, where one is said', async () => {
    const { seen, subscription } = noting()
    const { bus, clock, stop } = await rig([subscription])
    await bus.publish(OrderPlaced, order('o-1'), { expiresMs: 5_000 })
    await clock.advance(0)
    expect(seen[0]?.message.expiresEpochMs).toBe(clock.epochMs() + 5_000)
    expect(seen[0]?.ctx.remainingMs).toBe(5_000)
    expect(await rejection(bus.publish(OrderPlaced, order('o-2'), { expiresMs: 0 }))).toMatchObject({ code: 'INVALID_OPTIONS' })
    await stop()
  })

  test('leaves when the deadline of its context passes', async () => {
    const { bus, clock, busy, stop } = await full()
    const waiting = rejection(bus.publish(OrderPlaced, order('o-2'), { context: createContext({ clock, timeoutMs: 300 }) }))
    await clock.advance(300)
    expect(await waiting).toMatchObject({ code: 'DEADLINE', effect: 'none', retry: 'later' })
    busy.open()
    await stop()
  })

  test('gives up after the longest wait, or at once where the policy or the number of waiters says so', async () => {
    const patient = await full()
    const waiting = rejection(patient.bus.publish(OrderPlaced, order('o-2')))
    await patient.clock.advance(5_000)
    expect(await waiting).toMatchObject({
      code: 'QUEUE_TIMEOUT',
      effect: 'none',
      retry: 'later',
      message: expect.stringContaining('billing holds 1'),
    })
    patient.busy.open()

    const strict = await full({ full: 'refuse' })
    expect(await rejection(strict.bus.publish(OrderPlaced, order('o-2')))).toMatchObject({
      code: 'QUEUE_FULL',
      effect: 'none',
      retry: 'later',
    })
    strict.busy.open()

    const crowded = await full({ waiting: 1 })
    const first = crowded.bus.publish(OrderPlaced, order('o-2'))
    expect(await rejection(crowded.bus.publish(OrderPlaced, order('o-3')))).toMatchObject({
      code: 'QUEUE_FULL',
      message: expect.stringContaining('waiting: 1'),
    })
    crowded.busy.open()
    await first
    for (const { stop } of [patient, strict, crowded]) await stop()
  })

  test('refuses a context that has already ended', async () => {
    const { bus, clock, busy, stop } = await full()
    const context = createContext({ clock, signal: AbortSignal.abort() })
    expect(await rejection(bus.publish(OrderSeen, order('o-2'), { context }))).toMatchObject({ code: 'ABORTED', effect: 'none' })
    busy.open()
    await stop()
  })
})
