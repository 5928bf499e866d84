import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { memoryTransport } from '../../src/adapters/memory/index.ts'
import type { Transport } from '../../src/ports/transport.ts'
import { testClock } from '../../src/testing/test-clock.ts'
import { gate, idleRig, noting, OrderPlaced, OrderSeen, order, rejection, rig } from './support.ts'

describe('stop', () => {
  test('takes nothing new, lets what runs end, and leaves the rest with the transport, no attempt used', async () => {
    const busy = gate()
    const { seen, subscription } = noting({ concurrent: 1, handle: () => busy.opened })
    const { bus, clock, transport, stop } = await rig([subscription])
    for (const id of ['a', 'b', 'c']) await bus.publish(OrderPlaced, order(id))
    await clock.advance(0)
    const stopping = stop(10_000)
    await clock.advance(500)
    expect(bus.health()).toMatchObject({ status: 'down', reason: expect.stringContaining('draining') })
    busy.open()
    await stopping
    expect(seen.map(({ message }) => message.data.orderId)).toEqual(['a'])
    expect(clock.pending).toBe(0)
    const next = noting()
    const again = await rig([next.subscription], { clock, transport })
    await clock.advance(0)
    expect(next.seen.map(({ message }) => [message.data.orderId, message.attempt])).toEqual([
      ['b', 1],
      ['c', 1],
    ])
    await again.stop()
  })

  test('waits no longer than drainMs, aborts the signal of what still runs, and its message comes again', async () => {
    const stuck = gate()
    const reasons: unknown[] = []
    const { seen, subscription } = noting({
      handle: async (_, { signal }) => {
        signal.addEventListener('abort', () => reasons.push(signal.reason))
        await stuck.opened
      },
    })
    const { bus, clock, transport, stop } = await rig([subscription])
    await bus.publish(OrderPlaced, order('a'))
    await clock.advance(0)
    const stopping = stop(3_000)
    await clock.advance(2_999)
    expect(reasons).toEqual([])
    await clock.advance(1)
    await stopping
    expect(reasons).toMatchObject([{ code: 'ABORTED', message: expect.stringContaining('3000 ms') }])
    // What the abandoned handler answers counts no more: the message is not its any longer.
    stuck.open()
    await clock.advance(0)
    const next = noting()
    const again = await rig([next.subscription], { clock, transport })
    await clock.advance(0)
    expect(next.seen.map(({ message }) => [message.id, message.attempt])).toEqual([[seen[0]?.message.id, 1]])
    await again.stop()
  })

  test.each(['by-key', 'none'] as const)('keeps the attempts of a message that waits for its retry (ordered: %s)', async (ordered) => {
    const { subscription } = noting({
      ordered,
      retry: { delayMs: 10_000 },
      handle: () => {
        throw new Error('again')
      },
    })
    const { bus, clock, transport, stop } = await rig([subscription])
    await bus.publish(OrderPlaced, order('a'))
    await clock.advance(0)
    await stop()
    expect(clock.pending).toBe(0)
    const next = noting({ ordered })
    const again = await rig([next.subscription], { clock, transport })
    await clock.advance(10_000)
    expect(next.seen.map(({ message }) => message.attempt)).toEqual([2])
    await again.stop()
  })

  test('lets a handler publish while the bus drains', async () => {
    const busy = gate()
    const follow = noting({ event: OrderSeen as never })
    const first = noting({
      handle: async ({ data }) => {
        await busy.opened
        await made.bus.publish(OrderSeen, data)
      },
    })
    const made = await rig([first.subscription, follow.subscription])
    await made.bus.publish(OrderPlaced, order('a'))
    await made.clock.advance(0)
    const stopping = made.stop()
    busy.open()
    await stopping
    expect(follow.seen).toEqual([])
    await made.bus.start()
    await made.clock.advance(1_000)
    expect([first.seen.length, follow.seen.length]).toEqual([1, 1])
    await made.stop()
  })

  test('is idempotent, does nothing before start, and may come twice at once', async () => {
    const { bus, stop } = idleRig([noting().subscription])
    await stop()
    await bus.start()
    await Promise.all([stop(), stop()])
    await stop()
    expect(bus.health()).toEqual({ status: 'down', reason: 'the bus is not started' })
  })

  test('comes after the start that is under way', async () => {
    const { bus, transport, stop } = idleRig([noting().subscription])
    await Promise.all([bus.start(), stop()])
    expect(bus.health()).toEqual({ status: 'down', reason: 'the bus is not started' })
    expect(await rejection(transport.stats())).toMatchObject({ code: 'NOT_STARTED' })
  })

  test('refuses a drain time that is none', async () => {
    const { bus } = idleRig([])
    expect(await rejection(bus.stop({ drainMs: -1 }))).toMatchObject({ code: 'INVALID_OPTIONS' })
    expect(await rejection(bus.stop({ drain: 1 } as never))).toMatchObject({ code: 'INVALID_OPTIONS' })
  })

  test('waits until what ended is settled, but no longer than drainMs', async () => {
    const clock = testClock()
    const inner = memoryTransport({ clock })
    // A broker that takes its time to take note of settlements.
    const slow: Transport = Object.assign(Object.create(inner) as Transport, {
      dead: inner.dead,
      open: () => inner.open(),
      ensure: inner.ensure.bind(inner),
      publish: inner.publish.bind(inner),
      close: () => inner.close(),
      subscribe: async (...args: Parameters<Transport['subscribe']>) => {
        const subscription = await inner.subscribe(...args)
        const settle: typeof subscription.settle = async (settlements) => {
          await new Promise<void>((resolve) => void clock.setTimer(resolve, 200))
          return subscription.settle(settlements)
        }
        return {
          settle,
          credit: (n: number) => subscription.credit(n),
          drain: () => subscription.drain(),
          close: () => subscription.close(),
        }
      },
    })
    for (const [drainMs, left] of [
      [1_000, 0],
      [100, 1],
    ] as const) {
      const { seen, subscription } = noting({ group: `g${drainMs}` })
      const { bus, stop } = await rig([subscription], { clock, transport: slow })
      await bus.publish(OrderPlaced, order('a'))
      await clock.advance(0)
      expect(seen).toHaveLength(1)
      const stopping = stop(drainMs)
      await clock.advance(drainMs)
      await stopping
      await inner.open()
      expect((await inner.stats()).groups.at(-1)).toMatchObject({ ready: left, unsettled: 0 })
      await inner.close()
    }
  })

  test('answers a publisher that waits for room', async () => {
    const busy = gate()
    const { subscription } = noting({ handle: () => busy.opened })
    const { bus, clock, stop } = await rig([subscription], { bounds: { queued: 1 } })
    await bus.publish(OrderPlaced, order('a'))
    const waiting = rejection(bus.publish(OrderPlaced, order('b')))
    await clock.advance(0)
    const stopping = stop(100)
    await clock.advance(100)
    await stopping
    expect(await waiting).toMatchObject({ code: 'NOT_STARTED', effect: 'none', retry: 'later' })
    expect(clock.pending).toBe(0)
    busy.open()
  })
})

describe('start', () => {
  test('is idempotent, and comes again after stop', async () => {
    const { seen, subscription } = noting()
    const { bus, clock, transport, stop } = idleRig([subscription])
    await Promise.all([bus.start(), bus.start()])
    expect(bus.health()).toEqual({ status: 'ok' })
    await stop()
    expect(await rejection(transport.stats())).toMatchObject({ code: 'NOT_STARTED' })
    await bus.start()
    await bus.publish(OrderPlaced, order('a'))
    await clock.advance(0)
    expect(seen).toHaveLength(1)
    await stop()
  })

  test('closes what it opened when it fails half-way, and may be tried again', async () => {
    const clock = testClock()
    const inner = memoryTransport({ clock })
    let failures = 1
    // A broker that refuses a subscription once; everything else is the real transport.
    const transport: Transport = new Proxy(inner, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name)
        if (name === 'subscribe')
          return (...args: Parameters<Transport['subscribe']>) =>
            failures-- > 0 ? Promise.reject(new Error('no such exchange')) : target.subscribe(...args)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const { seen, subscription } = noting()
    const { bus, stop } = idleRig([subscription], { clock, transport })
    expect((await rejection(bus.start())).message).toBe('no such exchange')
    expect(bus.health().status).toBe('down')
    expect(await rejection(inner.stats())).toMatchObject({ code: 'NOT_STARTED' })
    await bus.start()
    await bus.publish(OrderPlaced, order('a'))
    await clock.advance(0)
    expect(seen).toHaveLength(1)
    await stop()
  })

  test('ends when its signal aborts, or when the bus is stopped, while the transport opens', async () => {
    const opening = (): Transport =>
      Object.assign(Object.create(memoryTransport()) as Transport, {
        open: (signal: AbortSignal) =>
          new Promise<void>((_, reject) => {
            if (signal.aborted) reject(signal.reason)
            else signal.addEventListener('abort', () => reject(signal.reason))
          }),
      })
    const asked = new AbortController()
    const byCaller = rejection(idleRig([], { transport: opening() }).bus.start(asked.signal))
    asked.abort(new Error('enough'))
    expect((await byCaller).message).toBe('enough')
    const { bus, stop } = idleRig([], { transport: opening() })
    const byStop = rejection(bus.start())
    await new Promise((resolve) => setImmediate(resolve))
    await stop()
    expect(await byStop).toMatchObject({ code: 'ABORTED' })
  })
})

/** How a life of the bus ends: `graceMs` before stop, `drainMs` in it. */
const lives = fc.array(fc.record({ publishes: fc.nat({ max: 6 }), graceMs: fc.nat({ max: 60 }), drainMs: fc.nat({ max: 60 }) }), {
  minLength: 2,
  maxLength: 6,
})

test('no message is lost, and no order of a key broken, over stops and starts on one transport, whenever they come', async () => {
  await fc.assert(
    fc.asyncProperty(
      lives,
      fc.constantFrom('by-key' as const, 'none' as const),
      fc.integer({ min: 1, max: 4 }),
      async (plan, ordered, concurrent) => {
        const clock = testClock()
        const transport = memoryTransport({ clock })
        const sent: string[] = []
        const handled: string[] = []
        const began: [string, number][] = []
        let next = 0
        const { subscription } = noting({
          ordered,
          concurrent,
          retry: { attempts: 50, delayMs: 20 },
          handle: async ({ data: { orderId: key, total: n }, attempt }) => {
            began.push([key, n])
            await new Promise<void>((resolve) => void clock.setTimer(resolve, 10 + (n % 4) * 10))
            if (n % 3 === 0 && attempt === 1) throw new Error('first attempts of some fail')
          },
        })
        for (const { publishes, graceMs, drainMs } of plan) {
          const { bus, stop } = await rig([subscription], { clock, transport })
          bus.on('handled', ({ message }) => handled.push(message.id))
          for (let i = 0; i < publishes; i++) {
            sent.push((await bus.publish(OrderPlaced, order('abc'.charAt(next % 3), next))).id)
            next += 1
          }
          await clock.advance(graceMs)
          const stopping = stop(drainMs)
          await clock.advance(drainMs)
          await stopping
        }
        const last = await rig([subscription], { clock, transport })
        last.bus.on('handled', ({ message }) => handled.push(message.id))
        await clock.advance(1_000_000)
        expect(handled.sort()).toEqual(sent.sort())
        expect(await last.bus.deadLetters.list()).toEqual([])
        expect((await transport.stats()).groups).toMatchObject([{ ready: 0, unsettled: 0, delayed: 0 }])
        if (ordered === 'by-key')
          for (const key of 'abc') {
            const order = began.filter(([each]) => each === key).map(([, n]) => n)
            expect(order).toEqual([...order].sort((a, b) => a - b))
          }
        await last.stop()
      },
    ),
    { numRuns: 60 },
  )
}, 60_000)
