import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { refusal } from '../../src/core/errors.ts'
import type { Message } from '../../src/messaging/index.ts'
import { testClock } from '../../src/testing/test-clock.ts'
import { gate, noting, type Order, OrderPlaced, order, rig } from './support.ts'

const ids = (seen: readonly { readonly message: Message<Order> }[]): string[] =>
  seen.map(({ message }) => `${message.key}${message.data.total}`)

describe('by key', () => {
  test('a message waits while an earlier one of its key is unsettled, and other keys go on', async () => {
    const first = gate()
    const { seen, subscription } = noting({ handle: ({ data }) => (data.orderId === 'a' && data.total === 1 ? first.opened : undefined) })
    const { bus, clock, stop } = await rig([subscription])
    for (const [id, n] of [
      ['a', 1],
      ['a', 2],
      ['b', 1],
      ['a', 3],
      ['b', 2],
    ] as const)
      await bus.publish(OrderPlaced, order(id, n))
    await clock.advance(1_000)
    expect(ids(seen)).toEqual(['a1', 'b1', 'b2'])
    first.open()
    await clock.advance(0)
    expect(ids(seen)).toEqual(['a1', 'b1', 'b2', 'a2', 'a3'])
    await stop()
  })

  test('a message waits while an earlier one of its key waits for its retry, and other keys go on', async () => {
    const { seen, subscription } = noting({
      retry: { attempts: 3, delayMs: 1_000, backoff: 'constant' },
      handle: ({ data, attempt }) => {
        if (data.orderId === 'a' && data.total === 1 && attempt < 3) throw new Error('again')
      },
    })
    const { bus, clock, stop } = await rig([subscription])
    for (const [id, n] of [
      ['a', 1],
      ['a', 2],
      ['b', 1],
    ] as const)
      await bus.publish(OrderPlaced, order(id, n))
    await clock.advance(1_500)
    await bus.publish(OrderPlaced, order('b', 2))
    await clock.advance(400)
    expect(ids(seen)).toEqual(['a1', 'b1', 'a1', 'b2'])
    await clock.advance(200)
    expect(ids(seen)).toEqual(['a1', 'b1', 'a1', 'b2', 'a1', 'a2'])
    await stop()
  })

  test('a dead letter lets the next of its key go', async () => {
    const { seen, subscription } = noting({
      retry: { attempts: 1 },
      handle: ({ data }) => {
        if (data.total === 1) throw new Error('no')
      },
    })
    const { bus, clock, stop } = await rig([subscription])
    await bus.publish(OrderPlaced, order('a', 1))
    await bus.publish(OrderPlaced, order('a', 2))
    await clock.advance(0)
    expect(ids(seen)).toEqual(['a1', 'a2'])
    await stop()
  })

  test('a backlog of a blocked key, longer than the handlers at work, does not stop other keys', async () => {
    const first = gate()
    const { seen, subscription } = noting({ concurrent: 2, handle: ({ data }) => (data.orderId === 'a' ? first.opened : undefined) })
    const { bus, clock, stop } = await rig([subscription])
    for (let n = 0; n < 100; n++) await bus.publish(OrderPlaced, order('a', n))
    await bus.publish(OrderPlaced, order('b', 1))
    await clock.advance(0)
    expect(ids(seen)).toEqual(['a0', 'b1'])
    first.open()
    await clock.advance(0)
    expect(seen).toHaveLength(101)
    await stop()
  })

  test('a backlog of a blocked key, longer than the group may hold, stops the group until the key moves on', async () => {
    const first = gate()
    const { seen, subscription } = noting({ concurrent: 2, handle: ({ data }) => (data.total === 1 ? first.opened : undefined) })
    const { bus, clock, stop } = await rig([subscription], { held: 3 })
    for (const [id, n] of [
      ['a', 1],
      ['a', 2],
      ['a', 3],
      ['b', 5],
    ] as const)
      await bus.publish(OrderPlaced, order(id, n))
    await clock.advance(0)
    expect(ids(seen)).toEqual(['a1'])
    first.open()
    await clock.advance(0)
    expect(ids(seen).sort()).toEqual(['a1', 'a2', 'a3', 'b5'])
    await stop()
  })

  test('holds across the buses of one transport: the second takes over where the first stops', async () => {
    const clock = testClock()
    const one = noting({ handle: ({ data }) => (data.total === 2 ? gate().opened : undefined) })
    const two = noting()
    const first = await rig([one.subscription], { clock })
    const second = await rig([two.subscription], { clock, transport: first.transport })
    for (const n of [1, 2, 3, 4]) await first.bus.publish(OrderPlaced, order('a', n))
    await clock.advance(0)
    expect([ids(one.seen), ids(two.seen)]).toEqual([['a1', 'a2'], []])
    const stopping = first.stop(100)
    await clock.advance(100)
    await stopping
    await clock.advance(0)
    expect(ids(two.seen)).toEqual(['a2', 'a3', 'a4'])
    await second.stop()
  })
})

test('without order, a message that waits for its retry lets those of its key overtake', async () => {
  const { seen, subscription } = noting({
    ordered: 'none',
    handle: ({ data, attempt }) => {
      if (data.total === 1 && attempt === 1) throw new Error('again')
    },
  })
  const { bus, clock, stop } = await rig([subscription])
  await bus.publish(OrderPlaced, order('a', 1))
  await bus.publish(OrderPlaced, order('a', 2))
  await clock.advance(1_000)
  expect(ids(seen)).toEqual(['a1', 'a2', 'a1'])
  await stop()
})

/** What a handler does with a message, attempt by attempt: after these it returns. */
const behaviour = fc.array(fc.constantFrom('throw', 'refuse', 'never', 'slow', 'slow throw'), { maxLength: 5 })
const published = fc.array(fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd'), does: behaviour, pauseMs: fc.nat({ max: 80 }) }), {
  minLength: 1,
  maxLength: 25,
})
const groups = fc.array(
  fc.record({
    ordered: fc.constantFrom('by-key' as const, 'none' as const),
    concurrent: fc.integer({ min: 1, max: 6 }),
    held: fc.integer({ min: 1, max: 30 }),
  }),
  {
    minLength: 1,
    maxLength: 3,
  },
)

test('whatever handlers do, order holds per key and every message ends once in every group: acknowledged or dead', async () => {
  await fc.assert(
    fc.asyncProperty(published, groups, fc.integer({ min: 1, max: 30 }), async (plan, shapes, queued) => {
      const clock = testClock()
      const violations: string[] = []
      const ends = new Map<string, string[]>()
      const subscriptions = shapes.map(({ ordered, concurrent }, index) => {
        let running = 0
        const calls = new Map<number, number>()
        const last = new Map<string, number>()
        return noting({
          group: `g${index}`,
          ordered,
          concurrent,
          retry: { attempts: 3, delayMs: 30 },
          handle: async ({ data: { orderId: key, total: n } }) => {
            if (++running > concurrent) violations.push(`${running} at a time`)
            if (ordered === 'by-key') {
              // A message may come again, but never after a later one of its key.
              if (n < (last.get(key) ?? -1)) violations.push(`${n} after ${last.get(key)} of ${key}`)
              last.set(key, n)
            }
            const call = calls.get(n) ?? 0
            calls.set(n, call + 1)
            const does = plan[n]?.does[call]
            try {
              if (does?.startsWith('slow')) await new Promise<void>((resolve) => void clock.setTimer(resolve, 45))
              if (does === 'refuse') throw refusal('BULKHEAD_FULL', 'full')
              if (does === 'never') throw refusal('DECLINED', 'no', { retry: 'never' })
              if (does?.endsWith('throw')) throw new Error('failed')
            } finally {
              running -= 1
            }
          },
        }).subscription
      })
      const { bus, transport, stop } = await rig(subscriptions, {
        clock,
        held: shapes[0]?.held ?? 1,
        random: () => 0.5,
        bounds: { queued, waitMaxMs: 10_000_000 },
      })
      const note = (end: string) => (event: { message: { id: string }; group: string }) => {
        const at = `${event.message.id} ${event.group}`
        ends.set(at, [...(ends.get(at) ?? []), end])
      }
      bus.on('handled', note('handled'))
      bus.on('dead', note('dead'))
      const confirmed: Promise<{ id: string }>[] = []
      for (const [n, { key, pauseMs }] of plan.entries()) {
        confirmed.push(bus.publish(OrderPlaced, order(key, n)))
        await clock.advance(pauseMs)
      }
      await clock.advance(1_000_000)
      const sent = await Promise.all(confirmed)
      expect(violations).toEqual([])
      const expected = sent.flatMap(({ id }) => shapes.map((_, index) => `${id} g${index}`))
      expect([...ends.keys()].sort()).toEqual(expected.sort())
      expect([...ends.values()].filter((each) => each.length !== 1)).toEqual([])
      for (const group of (await transport.stats()).groups) expect(group).toMatchObject({ ready: 0, unsettled: 0, delayed: 0 })
      expect(clock.pending).toBe(0)
      await stop()
    }),
    { numRuns: 60 },
  )
}, 60_000)
