import { AsyncLocalStorage } from 'node:async_hooks'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { ambientContext, ambientSeat } from '../../src/core/ambient.ts'
import { createContext } from '../../src/core/create-context.ts'
import { policy } from '../../src/core/policy.ts'
import { event, subscription } from '../../src/messaging/index.ts'
import { timeout } from '../../src/resilience/timeout.ts'
import { testClock } from '../../src/testing/test-clock.ts'
import { gate, noting, OrderPlaced, OrderSeen, order, rig } from './support.ts'

describe('a handler', () => {
  test('receives an equal copy, for each group and each attempt, never the object of the publisher', async () => {
    const Cart = event('cart', { schema: z.object({ items: z.array(z.string()) }) })
    const given: unknown[] = []
    const reading = (group: string) =>
      subscription(Cart, {
        group,
        retry: { attempts: 2 },
        handle: (message) => {
          given.push(message.data)
          const copy = structuredClone(message.data)
          message.data.items.push('changed')
          expect(copy).toEqual({ items: ['book'] })
          if (message.attempt === 1) throw new Error('once more')
        },
      })
    const { bus, clock, stop } = await rig([reading('a'), reading('b')])
    const payload = { items: ['book'] }
    await bus.publish(Cart, payload)
    payload.items.push('changed by the publisher')
    await clock.advance(1_000)
    expect(given).toHaveLength(4)
    expect(new Set(given).size).toBe(4)
    expect(given).not.toContain(payload)
    expect(await bus.deadLetters.list()).toEqual([])
    await stop()
  })

  test('is given a context of the message: cause, correlation, idempotency key, tenant, deadline, attempt', async () => {
    const { seen, subscription } = noting()
    const { bus, clock, stop } = await rig([subscription])
    const { id } = await bus.publish(OrderPlaced, order('o-1'), { context: createContext({ clock, tenant: 'acme' }), expiresMs: 2_000 })
    await clock.advance(0)
    expect(seen[0]?.ctx).toMatchObject({
      causationId: id,
      correlationId: id,
      idempotencyKey: `${id}:billing`,
      tenant: 'acme',
      attempt: 1,
      remainingMs: 2_000,
    })
    await stop()
  })

  test('passes the correlation on, and the message as the cause, to what it publishes under its context', async () => {
    const follow = noting({ event: OrderSeen as never })
    const first = noting({
      handle: async (message, ctx) => {
        await made.bus.publish(OrderSeen, message.data, { context: ctx })
      },
    })
    const made = await rig([first.subscription, follow.subscription])
    const { id } = await made.bus.publish(OrderPlaced, order('o-1'), { context: createContext({ correlationId: 'c-1' }) })
    await made.clock.advance(0)
    expect(follow.seen[0]?.message).toMatchObject({ correlationId: 'c-1', causationId: id })
    await made.stop()
  })

  test('has its signal aborted at the deadline of the message', async () => {
    const reasons: unknown[] = []
    const waiting = noting({
      retry: { attempts: 1 },
      handle: (_, { signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            reasons.push(signal.reason)
            reject(signal.reason)
          })
        }),
    })
    const { bus, clock, stop } = await rig([waiting.subscription])
    await bus.publish(OrderPlaced, order('o-1'), { expiresMs: 700 })
    await clock.advance(699)
    expect(reasons).toEqual([])
    await clock.advance(1)
    expect(reasons).toMatchObject([{ code: 'DEADLINE' }])
    await stop()
  })

  test('may be synchronous; what it throws counts all the same', async () => {
    const failing = subscription(OrderPlaced, {
      group: 'g',
      retry: { attempts: 1 },
      handle: () => {
        throw new Error('at once')
      },
    })
    const { bus, clock, stop } = await rig([failing])
    await bus.publish(OrderPlaced, order('o-1'))
    await clock.advance(0)
    expect(await bus.deadLetters.list()).toMatchObject([{ reason: { error: { message: 'at once' } } }])
    await stop()
  })

  test('leaves no listener and no timer behind, though it read its signal', async () => {
    const { subscription } = noting({ handle: (_, ctx) => void ctx.signal })
    const { bus, clock, stop } = await rig([subscription])
    for (let n = 0; n < 50; n++) await bus.publish(OrderPlaced, order(`o-${n}`), { expiresMs: 60_000 })
    await clock.advance(0)
    expect(clock.pending).toBe(0)
    await stop()
  })

  test('finds its context as the ambient one, and publishes under it, while ambient contexts are on', async () => {
    const former = ambientSeat.storage
    ambientSeat.storage = new AsyncLocalStorage()
    const found: unknown[] = []
    const follow = noting({ event: OrderSeen as never })
    const { seen, subscription } = noting({
      handle: async ({ data }) => {
        found.push(ambientContext())
        await bus.publish(OrderSeen, data)
      },
    })
    const { bus, clock, stop } = await rig([subscription, follow.subscription])
    const { id } = await bus.publish(OrderPlaced, order('o-1'))
    await clock.advance(0)
    ambientSeat.storage = former
    expect(found).toEqual([seen[0]?.ctx])
    expect(follow.seen[0]?.message.causationId).toBe(id)
    await stop()
  })
})

describe('a group', () => {
  test('gets every message, and every other group gets it too', async () => {
    const groups = ['a', 'b', 'c'].map((group) => noting({ group }))
    const { bus, clock, stop } = await rig(groups.map((each) => each.subscription))
    for (let n = 0; n < 5; n++) await bus.publish(OrderPlaced, order(`o-${n}`))
    await clock.advance(0)
    for (const { seen } of groups) expect(seen.map(({ message }) => message.data.orderId)).toEqual(['o-0', 'o-1', 'o-2', 'o-3', 'o-4'])
    await stop()
  })

  test('shares its messages between the buses of one transport, each message with one of them', async () => {
    const clock = testClock()
    const one = noting({ event: OrderSeen as never })
    const two = noting({ event: OrderSeen as never })
    const first = await rig([one.subscription], { clock })
    const second = await rig([two.subscription], { clock, transport: first.transport })
    for (let n = 0; n < 10; n++) await first.bus.publish(OrderSeen, order(`o-${n}`))
    await clock.advance(0)
    const both = [...one.seen, ...two.seen].map(({ message }) => message.data.orderId)
    expect(new Set(both).size).toBe(10)
    expect(both).toHaveLength(10)
    expect(Math.min(one.seen.length, two.seen.length)).toBeGreaterThan(0)
    await first.stop()
    await expect(second.bus.publish(OrderSeen, order('still open'))).resolves.toBeDefined()
    await second.stop()
  })

  test('handles as many at a time as concurrent says, and no more', async () => {
    let running = 0
    let most = 0
    const held: (() => void)[] = []
    const busy = noting({
      concurrent: 3,
      handle: async () => {
        most = Math.max(most, ++running)
        await new Promise<void>((resolve) => held.push(resolve))
        running -= 1
      },
    })
    const { bus, clock, stop } = await rig([busy.subscription])
    for (let n = 0; n < 10; n++) await bus.publish(OrderPlaced, order(`o-${n}`))
    for (let done = 0; done < 10; done++) {
      await clock.advance(0)
      expect(running).toBe(Math.min(3, 10 - done))
      held.shift()?.()
    }
    await clock.advance(0)
    expect([most, running]).toEqual([3, 0])
    await stop()
  })
})

describe('a schema, on receipt,', () => {
  const Loose = event(OrderPlaced.name, { schema: z.looseObject({ orderId: z.string() }), key: (data) => data.orderId, version: 2 })

  test('keeps what does not fit from the handler: a dead letter with its issues, and the next one goes on', async () => {
    const { seen, subscription } = noting()
    const { bus, clock, stop } = await rig([subscription])
    await bus.publish(Loose, { orderId: 'o-1', total: 'much' })
    await bus.publish(OrderPlaced, order('o-1'))
    await clock.advance(0)
    expect(seen.map(({ message }) => message.data)).toEqual([order('o-1')])
    expect(await bus.deadLetters.list()).toMatchObject([
      {
        event: OrderPlaced.name,
        group: 'billing',
        message: { version: 2, key: 'o-1', data: { orderId: 'o-1', total: 'much' } },
        reason: { code: 'invalid', attempts: 0, issues: [{ path: 'total' }], error: { code: 'INVALID_INPUT' } },
      },
    ])
    await stop()
  })

  test('is tried again when it breaks down instead of answering', async () => {
    let calls = 0
    const schema = {
      '~standard': {
        version: 1 as const,
        vendor: 'test',
        validate: (value: unknown) => (++calls === 2 ? Promise.reject(new Error('down')) : { value }),
      },
    }
    const Fragile = event('fragile', { schema })
    const { seen, subscription } = noting({ event: Fragile as never })
    const { bus, clock, stop } = await rig([subscription])
    await bus.publish(Fragile, {})
    await clock.advance(1_000)
    expect(seen.map(({ message }) => message.attempt)).toEqual([2])
    await stop()
  })

  test('sends text that is no JSON to the dead letters', async () => {
    const { seen, subscription } = noting()
    const { bus, clock, transport, stop } = await rig([subscription])
    await transport.publish([{ id: 'x', name: OrderPlaced.name, version: 1, data: '{', publishedEpochMs: 0, attributes: {} }])
    await clock.advance(0)
    expect(seen).toEqual([])
    expect(await bus.deadLetters.list()).toMatchObject([
      { message: { id: 'x', data: '{' }, reason: { code: 'invalid', message: expect.stringContaining('not JSON') } },
    ])
    await stop()
  })
})

describe('a policy', () => {
  test('wraps the handler once, when the subscription is defined', async () => {
    let wrapped = 0
    const trail: string[] = []
    const traced = policy('traced', (next) => {
      wrapped += 1
      return async (input, ctx) => {
        trail.push(`in ${ctx.attempt}`)
        try {
          return await next(input, ctx)
        } finally {
          trail.push('out')
        }
      }
    })
    const { subscription } = noting({ policy: traced, handle: () => void trail.push('handler') })
    const { bus, clock, stop } = await rig([subscription])
    await bus.publish(OrderPlaced, order('o-1'))
    await bus.publish(OrderPlaced, order('o-1'))
    await clock.advance(0)
    expect(wrapped).toBe(1)
    expect(trail).toEqual(['in 1', 'handler', 'out', 'in 1', 'handler', 'out'])
    await stop()
  })

  test('limits an attempt: a timeout counts as one, and its message is tried again', async () => {
    const clock = testClock()
    const restore = clock.install()
    const slow = gate()
    const { seen, subscription } = noting({
      policy: timeout({ timeoutMs: 100 }),
      handle: ({ attempt }) => (attempt === 1 ? slow.opened : undefined),
    })
    const { bus, stop } = await rig([subscription], { clock })
    await bus.publish(OrderPlaced, order('o-1'))
    await clock.advance(100)
    expect(seen.map(({ ctx }) => ctx.aborted)).toEqual([true])
    await clock.advance(1_000)
    expect(seen.map(({ message }) => message.attempt)).toEqual([1, 2])
    slow.open()
    await stop()
    restore()
  })
})
