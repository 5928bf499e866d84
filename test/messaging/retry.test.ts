import { describe, expect, test } from 'vitest'
import { declined, failed, refusal } from '../../src/core/errors.ts'
import type { Message, SubscriptionOptions } from '../../src/messaging/index.ts'
import { bulkhead } from '../../src/resilience/bulkhead.ts'
import { gate, noting, type Order, OrderPlaced, OrderSeen, order, type Rig, rig } from './support.ts'

/** Handles one message by `handle`, for so long; tells when it was handled (ms from the start). */
async function handled(options: Partial<SubscriptionOptions<Order>>, forMs: number, rigged: Parameters<typeof rig>[1] = {}) {
  const times: number[] = []
  const { subscription } = noting({
    ...options,
    handle: async (message, ctx) => {
      times.push(made.clock.nowMs())
      await options.handle?.(message, ctx)
    },
  })
  const made: Rig = await rig([subscription], rigged)
  await made.bus.publish(OrderPlaced, order('o-1'))
  await made.clock.advance(forMs)
  const dead = await made.bus.deadLetters.list()
  return { ...made, times, dead }
}

const always = (error: unknown) => () => {
  throw error
}

describe.each(['by-key', 'none'] as const)('a failed message (ordered: %s)', (ordered) => {
  test('is tried again by plan, through the clock, then becomes a dead letter with reason, attempts and stack', async () => {
    const cause = new Error('socket closed')
    const error = new Error('no such customer', { cause })
    const { times, dead, clock, stop } = await handled(
      { ordered, retry: { attempts: 4, delayMs: 100, backoff: 'constant' }, handle: always(error) },
      10_000,
    )
    expect(times).toEqual([0, 100, 200, 300])
    expect(dead).toEqual([
      {
        id: expect.any(String),
        event: 'shop.order.placed',
        group: 'billing',
        message: { id: expect.any(String), version: 1, key: 'o-1', data: order('o-1'), publishedEpochMs: Date.UTC(2026, 0, 1) },
        reason: {
          code: 'failed',
          message: 'attempt 4 of 4 failed: no such customer',
          attempts: 4,
          error: {
            name: 'Error',
            message: 'no such customer',
            stack: expect.stringMatching(/retry\.test\.ts[\s\S]*caused by: Error: socket closed/),
          },
        },
        diedEpochMs: Date.UTC(2026, 0, 1) + 300,
      },
    ])
    expect(clock.pending).toBe(0)
    await stop()
  })

  test('backs off exponentially, with jitter from the given chance', async () => {
    const { times, stop } = await handled(
      { ordered, retry: { attempts: 5, delayMs: 100, delayMaxMs: 500 }, handle: always(new Error('x')) },
      10_000,
    )
    expect(times).toEqual([0, 50, 150, 350, 600])
    await stop()
  })

  test('is done once the handler returns, and counts its attempts', async () => {
    const attempts: [number, number][] = []
    const { dead, transport, stop } = await handled(
      {
        ordered,
        handle: (message, ctx) => {
          attempts.push([message.attempt, ctx.attempt])
          if (message.attempt < 3) throw new Error('again')
        },
      },
      10_000,
    )
    expect(attempts).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
    ])
    expect(dead).toEqual([])
    expect((await transport.stats()).groups).toMatchObject([{ ready: 0, unsettled: 0, delayed: 0 }])
    await stop()
  })

  test.each([declined('out of stock'), failed('half done')])('is a dead letter at once when the error says never', async (error) => {
    const { times, dead, stop } = await handled({ ordered, retry: { attempts: 5 }, handle: always(error) }, 10_000)
    expect(times).toEqual([0])
    expect(dead).toMatchObject([{ reason: { code: 'failed', attempts: 1, error: { code: error.code, message: error.message } } }])
    await stop()
  })

  test('that the handler calls invalid is failed, not invalid: the message itself fits its schema', async () => {
    const error = refusal('INVALID_INPUT', 'the reply of the bank is invalid', { retry: 'never', details: { issues: [] } })
    const { dead, stop } = await handled({ ordered, handle: always(error) }, 10_000)
    expect(dead).toMatchObject([{ reason: { code: 'failed', attempts: 1, error: { code: 'INVALID_INPUT' } } }])
    await stop()
  })

  test('is a dead letter at once when retryIf says no, or breaks', async () => {
    for (const retryIf of [() => false, always(new Error('broken'))]) {
      const { times, dead, stop } = await handled({ ordered, retry: { retryIf }, handle: always(new Error('x')) }, 10_000)
      expect([times, dead.length]).toEqual([[0], 1])
      await stop()
    }
  })

  test('is given up when no attempt is left within elapsedMaxMs', async () => {
    const retry = { attempts: 100, delayMs: 100, backoff: 'constant', elapsedMaxMs: 250 } as const
    const { times, dead, stop } = await handled({ ordered, retry, handle: always(new Error('x')) }, 10_000)
    expect(times).toEqual([0, 100, 200])
    expect(dead).toMatchObject([{ reason: { code: 'failed', attempts: 3, message: 'no attempt is left within 250 ms: x' } }])
    await stop()
  })

  test('waits at least as long as the error asks for', async () => {
    const later = Object.assign(new Error('busy'), { retryAfterMs: 4_000 })
    const { times, stop } = await handled({ ordered, retry: { attempts: 2, delayMs: 10 }, handle: always(later) }, 10_000)
    expect(times).toEqual([0, 4_000])
    await stop()
  })

  test('is dropped instead where dead letters are off, and that is told', async () => {
    const told: unknown[] = []
    const { subscription } = noting({ ordered, deadLetter: false, retry: { attempts: 1 }, handle: always(new Error('x')) })
    const { bus, clock, transport, stop } = await rig([subscription])
    bus.on('dead', (event) => told.push(event))
    await bus.publish(OrderPlaced, order('o-1'))
    await clock.advance(0)
    expect(await bus.deadLetters.list()).toEqual([])
    expect(told).toMatchObject([{ kept: false, group: 'billing', reason: { code: 'failed' } }])
    expect((await transport.stats()).groups).toMatchObject([{ ready: 0, unsettled: 0 }])
    await stop()
  })

  test('is dead once its deadline leaves no room for another attempt', async () => {
    const { subscription, seen } = noting({
      ordered,
      retry: { attempts: 9, delayMs: 400, backoff: 'constant' },
      handle: always(new Error('x')),
    })
    const { bus, clock, stop } = await rig([subscription])
    await bus.publish(OrderPlaced, order('o-1'), { expiresMs: 1_000 })
    await clock.advance(10_000)
    expect(seen).toHaveLength(3)
    expect(await bus.deadLetters.list()).toMatchObject([{ reason: { code: 'expired', attempts: 3, error: { message: 'x' } } }])
    await stop()
  })

  test('is dead unhandled when its deadline has passed before its turn', async () => {
    const busy = gate()
    const { subscription, seen } = noting({ ordered, concurrent: 1, handle: () => busy.opened })
    const { bus, clock, stop } = await rig([subscription])
    await bus.publish(OrderPlaced, order('o-1'))
    await bus.publish(OrderPlaced, order('o-2'), { expiresMs: 1_000 })
    await clock.advance(1_000)
    busy.open()
    await clock.advance(0)
    expect(seen.map(({ message }) => message.data.orderId)).toEqual(['o-1'])
    expect(await bus.deadLetters.list()).toMatchObject([{ message: { key: 'o-2' }, reason: { code: 'expired', attempts: 0 } }])
    await stop()
  })
})

describe.each(['by-key', 'none'] as const)('a refusal of ours (ordered: %s)', (ordered) => {
  const busy = refusal('BREAKER_OPEN', 'the breaker is open')

  test('puts the message off without using an attempt', async () => {
    let calls = 0
    const attempts: number[] = []
    const handle = ({ attempt }: Message<Order>): void => {
      attempts.push(attempt)
      if (++calls <= 5) throw busy
      if (calls === 6) throw new Error('a real failure')
    }
    const { times, dead, stop } = await handled({ ordered, retry: { attempts: 2, delayMs: 0 }, handle }, 60_000)
    expect(attempts).toEqual([1, 1, 1, 1, 1, 1, 2])
    expect(times).toEqual([0, 50, 150, 350, 750, 1_550, 1_550])
    expect(dead).toEqual([])
    await stop()
  })

  test('is waited out as long as it asks for', async () => {
    const asks = refusal('BREAKER_OPEN', 'open', { retryAfterMs: 7_000 })
    let calls = 0
    const handle = (): void => {
      if (++calls === 1) throw asks
    }
    const { times, stop } = await handled({ ordered, handle }, 60_000)
    expect(times).toEqual([0, 7_000])
    await stop()
  })

  test('is waited out so many times in a row, then the message is a dead letter that names the bound', async () => {
    const { times, dead, stop } = await handled({ ordered, handle: always(busy) }, 10_000_000, { refusals: 7 })
    expect(times).toHaveLength(8)
    expect(dead).toMatchObject([
      {
        reason: {
          code: 'refused',
          attempts: 0,
          message: 'put off 7 times in a row (refusals: 7), the last time: the breaker is open',
          error: { code: 'BREAKER_OPEN' },
        },
      },
    ])
    await stop()
  })

  test('counts from none again after a real attempt', async () => {
    let calls = 0
    const handle = (): void => {
      if (++calls % 3 !== 0) throw busy
      throw new Error('x')
    }
    const { dead, stop } = await handled({ ordered, retry: { attempts: 3 }, handle }, 10_000_000, { refusals: 2 })
    expect(calls).toBe(9)
    expect(dead).toMatchObject([{ reason: { code: 'failed', attempts: 3 } }])
    await stop()
  })
})

test('a full bulkhead around the handler costs no attempt', async () => {
  const doors = [gate(), gate(), gate()]
  let entered = 0
  const { seen, subscription } = noting({
    event: OrderSeen as never,
    retry: { attempts: 1 },
    policy: bulkhead({ concurrent: 1, queued: 0 }),
    handle: () => doors[entered++]?.opened,
  })
  const { bus, clock, stop } = await rig([subscription])
  for (const id of ['a', 'b', 'c']) await bus.publish(OrderSeen, order(id))
  await clock.advance(10_000)
  expect(seen).toHaveLength(1)
  for (const door of doors) {
    door.open()
    await clock.advance(100_000)
  }
  expect(seen.map(({ message }) => message.attempt)).toEqual([1, 1, 1])
  expect(await bus.deadLetters.list()).toEqual([])
  await stop()
})

test('chance of the subscription comes before that of the bus', async () => {
  const { times, stop } = await handled({ retry: { attempts: 2, delayMs: 100, random: () => 0.5 }, handle: always(new Error('x')) }, 10_000)
  expect(times).toEqual([0, 75])
  await stop()
})

test('what a dead letter says of an error is bounded, however long it, its stack and its causes are', async () => {
  const error = new Error('x'.repeat(100_000))
  error.cause = error
  const { dead, stop } = await handled({ retry: { attempts: 1 }, handle: always(error) }, 0)
  const [{ reason } = { reason: undefined }] = dead
  expect(reason?.message.length).toBeLessThanOrEqual(1_001)
  expect(reason?.error?.message.length).toBeLessThanOrEqual(1_001)
  expect(reason?.error?.stack?.length).toBeLessThanOrEqual(8_001)
  await stop()
})

test('what is thrown and is no Error is shown', async () => {
  const { dead, stop } = await handled({ retry: { attempts: 1 }, handle: always('a text') }, 0)
  expect(dead).toMatchObject([
    { reason: { message: 'attempt 1 of 1 failed: "a text"', error: { name: 'not an Error', message: '"a text"' } } },
  ])
  await stop()
})
