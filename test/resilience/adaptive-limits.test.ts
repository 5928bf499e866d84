// How the limit moves, against a service whose capacity is known.
import { describe, expect, test } from 'vitest'
import { type AdaptiveBulkheadOptions, adaptiveBulkhead, aimd, gradient2, policies, timeout } from '../../src/index.ts'
import { testClock } from '../../src/testing/test-clock.ts'
import { clients, SimulatedService } from './simulated-service.ts'

const CAPACITY = 10
const SERVICE_MS = 100
/** Enough that the queue of the bulkhead is never empty. */
const CLIENTS = 150

function underLoad(options: AdaptiveBulkheadOptions, count = CLIENTS) {
  const clock = testClock()
  const service = new SimulatedService(clock, CAPACITY, SERVICE_MS)
  const slots = adaptiveBulkhead({ queued: 1_000, windowMs: 200, clock, ...options })
  const load = clients(count, slots, service.call)
  const end = async (): Promise<void> => {
    const stopped = load.stop()
    while (await clock.next());
    await stopped
    expect([slots.running, slots.waiting, slots.abandoned, service.inside, clock.pending]).toEqual([0, 0, 0, 0, 0])
  }
  return { clock, service, slots, end }
}

describe('gradient2', () => {
  test.each([
    { from: 'below', concurrentInitial: 1 },
    { from: 'above', concurrentInitial: 100 },
  ])('comes near the capacity from $from, and stays', async ({ concurrentInitial }) => {
    const { clock, slots, end } = underLoad({ concurrentInitial })
    await clock.advance(60_000)
    for (let n = 0; n < 20; n++) {
      await clock.advance(2_000)
      expect(slots.limit).toBeGreaterThanOrEqual(slots.stats().probing ? CAPACITY / 2 : CAPACITY)
      expect(slots.limit).toBeLessThanOrEqual(2 * CAPACITY)
    }
    expect(slots.stats().baselineMs).toBeLessThan(1.3 * SERVICE_MS)
    await end()
  })

  test('falls when calls take twice as long, and grows again when they do not', async () => {
    const { clock, service, slots, end } = underLoad({})
    await clock.advance(60_000)
    const before = slots.limit
    service.serviceMs *= 2
    await clock.advance(10_000)
    expect(slots.limit).toBeLessThan(0.8 * before)
    service.serviceMs /= 2
    await clock.advance(60_000)
    expect(slots.limit).toBeGreaterThanOrEqual(CAPACITY)
    expect(slots.limit).toBeLessThanOrEqual(2 * CAPACITY)
    await end()
  })

  test('takes for normal in the end what is slower for good', async () => {
    const { clock, service, slots, end } = underLoad({ algorithm: gradient2({ longWindows: 60 }) })
    await clock.advance(30_000)
    service.serviceMs *= 2
    await clock.advance(90_000)
    expect(slots.limit).toBeGreaterThanOrEqual(CAPACITY)
    expect(slots.stats().baselineMs).toBeGreaterThan(1.5 * SERVICE_MS)
    await end()
  })

  test('does not take for normal what it causes itself, however long the overload lasts', async () => {
    const { clock, slots, end } = underLoad({ concurrentMax: 100 })
    await clock.advance(400_000)
    if (slots.stats().probing) await clock.advance(2_000)
    expect(slots.limit).toBeLessThanOrEqual(2.5 * CAPACITY)
    await end()
  })

  test('with a range that forbids half the calls probes with as few as it allows', async () => {
    const { clock, slots, end } = underLoad({ concurrentMin: 12, concurrentInitial: 100 })
    const probes: number[] = []
    slots.on('limitChanged', ({ why, to, from }) => {
      if (why === 'probe' && to < from) probes.push(to)
    })
    await clock.advance(90_000)
    expect(Math.min(...probes)).toBe(12)
    expect(slots.limit).toBeLessThanOrEqual(2.5 * CAPACITY)
    await end()
  })

  test('does not grow beyond what is used, nor probe', async () => {
    const { clock, slots, end } = underLoad({ concurrentInitial: 10 }, 4)
    const changes: unknown[] = []
    slots.on('limitChanged', (change) => changes.push(change))
    await clock.advance(30_000)
    expect(changes).toEqual([])
    expect(slots.limit).toBe(10)
    await end()
  })
})

describe('aimd', () => {
  test.each([1, 100])('keeps the mean latency about its bound, beginning with %i', async (concurrentInitial) => {
    const { clock, slots, end } = underLoad({ algorithm: aimd({ latencyMaxMs: 2 * SERVICE_MS }), concurrentInitial })
    await clock.advance(30_000)
    for (let n = 0; n < 20; n++) {
      await clock.advance(1_000)
      expect(slots.limit).toBeGreaterThanOrEqual(1.5 * CAPACITY)
      expect(slots.limit).toBeLessThanOrEqual(2.5 * CAPACITY)
      expect(slots.stats()).toMatchObject({ baselineMs: 0, probing: false })
    }
    await end()
  })

  test('without a bound is cut by calls that time out', async () => {
    const clock = testClock()
    const service = new SimulatedService(clock, CAPACITY, SERVICE_MS)
    const slots = adaptiveBulkhead({ algorithm: aimd({ decrease: 0.5 }), queued: 1_000, windowMs: 200, concurrentInitial: 100, clock })
    const guard = policies(slots, timeout({ timeoutMs: 3 * SERVICE_MS, clock }))
    const load = clients(CLIENTS, guard, service.call)
    await clock.advance(20_000)
    const { dropped, samples } = slots.stats()
    expect(dropped).toBeGreaterThan(0)
    expect(samples).toBeGreaterThan(0)
    for (let n = 0; n < 20; n++) {
      await clock.advance(500)
      expect(slots.limit).toBeLessThanOrEqual(4 * CAPACITY)
      expect(slots.limit).toBeGreaterThanOrEqual(CAPACITY)
    }
    const stopped = load.stop()
    while (await clock.next());
    await stopped
    expect([slots.running, slots.waiting, slots.abandoned]).toEqual([0, 0, 0])
  })
})
