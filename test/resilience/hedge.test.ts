import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { bulkhead, type Context, createContext, HoldfastError, hedge, policies, timeout } from '../../src/index.ts'
import { LatencyQuantile } from '../../src/resilience/latency-quantile.ts'
import { testClock } from '../../src/testing/test-clock.ts'

/** Work whose attempts end when the test says so. */
function attempts() {
  const started: { ctx: Context; end: (value: unknown) => void; fail: (error: unknown) => void }[] = []
  const work = (ctx: Context) => new Promise<unknown>((end, fail) => void started.push({ ctx, end, fail }))
  return { started, work, nth: (n: number) => started[n - 1] as (typeof started)[number] }
}

describe('hedge', () => {
  it('starts one more attempt after the delay, and answers with the first to succeed', async () => {
    const clock = testClock()
    const { started, work, nth } = attempts()
    const call = hedge({ delayMs: 50, clock }).run(work)
    await clock.advance(49)
    expect(started).toHaveLength(1)
    await clock.advance(1)
    expect(started).toHaveLength(2)
    nth(2).end('second')
    expect(await call).toBe('second')
    expect(clock.pending).toBe(0)
  })

  it('cancels the loser, and no one else', async () => {
    const clock = testClock()
    const { work, nth } = attempts()
    const call = hedge({ delayMs: 50, clock }).run(work)
    await clock.advance(50)
    const [first, second] = [nth(1).ctx.signal, nth(2).ctx.signal]
    nth(2).end('second')
    await call
    expect(first.aborted).toBe(true)
    expect(first.reason).toMatchObject({ code: 'ABORTED', message: 'another attempt answered first' })
    expect(second.aborted).toBe(false)
  })

  it('makes no second attempt for a call that is quick or that fails', async () => {
    const clock = testClock()
    const work = vi.fn(async () => 1)
    const hedged = hedge({ delayMs: 50, clock })
    await hedged.run(work)
    await expect(hedged.run(() => Promise.reject(new Error('down')))).rejects.toThrow('down')
    await clock.advance(1_000)
    expect(work).toHaveBeenCalledTimes(1)
    expect(hedged.stats()).toMatchObject({ calls: 2, hedged: 0, won: 0 })
    expect(clock.pending).toBe(0)
  })

  it('waits for the attempts that still run when one fails, and answers the last failure', async () => {
    const clock = testClock()
    const { work, nth } = attempts()
    const hedged = hedge({ delayMs: 50, attempts: 3, clock })
    const good = hedged.run(work)
    await clock.advance(50)
    nth(1).fail(new Error('first'))
    nth(2).end('second')
    expect(await good).toBe('second')
    const bad = hedged.tryRun(work)
    await clock.advance(50)
    nth(3).fail(new Error('third'))
    nth(4).fail(new Error('fourth'))
    expect(await bad).toMatchObject({ ok: false, error: { message: 'fourth' } })
    expect(clock.pending).toBe(0)
  })

  it('gives every attempt the same idempotency key', async () => {
    const clock = testClock()
    const { work, nth } = attempts()
    const call = hedge({ delayMs: 50, clock }).run(work)
    await clock.advance(50)
    expect(nth(1).ctx.idempotencyKey).toBe(nth(2).ctx.idempotencyKey)
    nth(1).end(1)
    await call
  })

  it('keeps the permits around it taken until the loser has settled', async () => {
    const clock = testClock()
    const slots = bulkhead({ concurrent: 1 })
    const { work, nth } = attempts()
    const call = policies(slots, hedge({ delayMs: 50, clock })).run(work)
    await clock.advance(50)
    nth(2).end('second')
    await call
    expect([slots.running, slots.abandoned]).toEqual([1, 1])
    nth(1).fail(new Error('cancelled'))
    await clock.advance(0)
    expect([slots.running, slots.abandoned]).toEqual([0, 0])
  })

  it('answers a caller who gives up at once, starts nothing more, and leaves nothing behind', async () => {
    const clock = testClock()
    const controller = new AbortController()
    const { started, work, nth } = attempts()
    const call = hedge({ delayMs: 50, clock }).tryRun(work, { signal: controller.signal })
    await clock.advance(10)
    const { signal } = nth(1).ctx
    controller.abort('bye')
    expect(await call).toMatchObject({ ok: false, error: { code: 'ABORTED', effect: 'unknown' } })
    expect(signal.aborted).toBe(true)
    await clock.advance(1_000)
    expect(started).toHaveLength(1)
    expect(clock.pending).toBe(0)
  })

  it('does not begin for a caller who had given up before', async () => {
    const work = vi.fn()
    const context = createContext({ signal: AbortSignal.abort('bye') })
    const handler = hedge()(async () => work())
    await expect(handler(1, context)).rejects.toMatchObject({ code: 'ABORTED', effect: 'none' })
    expect(work).not.toHaveBeenCalled()
  })

  it('ends with a timeout around it', async () => {
    const clock = testClock()
    const { started, work } = attempts()
    const call = policies(timeout({ timeoutMs: 120, clock }), hedge({ delayMs: 50, attempts: 3, clock })).tryRun(work)
    await clock.advance(120)
    expect(await call).toMatchObject({ error: { code: 'TIMEOUT' } })
    expect(started).toHaveLength(3)
    await clock.advance(0)
    expect(clock.pending).toBe(0)
  })

  it('hedges at most the share it may in the long run', async () => {
    const clock = testClock()
    const hedged = hedge({ delayMs: 10, hedgedMaxShare: 0.1, clock })
    for (let n = 0; n < 200; n++) {
      const { work, nth } = attempts()
      const call = hedged.run(work)
      await clock.advance(10)
      nth(1).end(n)
      await call
    }
    const { hedged: started, withheld } = hedged.stats()
    expect(started).toBeGreaterThanOrEqual(28)
    expect(started).toBeLessThanOrEqual(30)
    expect(started + withheld).toBe(200)
  })

  it('takes the delay from the observed quantile once enough is known', async () => {
    const clock = testClock()
    const hedged = hedge({ delayMs: 500, quantile: 0.9, clock })
    for (let n = 1; n <= 100; n++) {
      const { work, nth } = attempts()
      const call = hedged.run(work)
      await clock.advance(n <= 90 ? 20 : 200)
      nth(1).end(n)
      await call
    }
    expect(hedged.stats().delayMs).toBeGreaterThanOrEqual(20)
    expect(hedged.stats().delayMs).toBeLessThanOrEqual(23)
  })

  it.each([
    [{ attempts: 1 }, 'attempts must be a whole number from 2 to 10, got 1'],
    [{ delayMs: 0 }, 'delayMs must be'],
    [{ quantile: 1 }, 'quantile must be'],
    [{ hedgedMaxShare: 0 }, 'hedgedMaxShare must be'],
  ])('refuses %j', (options, message) => {
    expect(() => hedge(options)).toThrow(message)
    expect(() => hedge(options)).toThrow(HoldfastError)
  })

  it('is reconfigured while it works', () => {
    const hedged = hedge({ delayMs: 50, quantile: 0.9 })
    hedged.reconfigure({ delayMs: 70 })
    expect(hedged.stats().delayMs).toBe(70)
    expect(() => hedged.reconfigure({ attempts: 0 })).toThrow('attempts')
  })
})

describe('the latency quantile', () => {
  it('lies between the smallest value and an eighth above the largest (property)', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 100_000, noNaN: true }), { minLength: 32, maxLength: 300 }),
        fc.double({ min: 0.05, max: 0.95, noNaN: true }),
        (latencies, quantile) => {
          const observed = new LatencyQuantile(quantile)
          for (const latencyMs of latencies) observed.record(latencyMs)
          const rounds = latencies.length
          const sorted = [...latencies].sort((a, b) => a - b)
          const low = sorted[0] as number
          const high = sorted[rounds - 1] as number
          expect(observed.estimateMs).toBeGreaterThanOrEqual(low)
          expect(observed.estimateMs).toBeLessThanOrEqual((high + 1) * 1.125)
        },
      ),
    )
  })

  it('follows what happens now', () => {
    const observed = new LatencyQuantile(0.5)
    for (let n = 0; n < 2_000; n++) observed.record(10)
    expect(observed.estimateMs).toBeLessThan(12)
    for (let n = 0; n < 4_000; n++) observed.record(1_000)
    expect(observed.estimateMs).toBeGreaterThan(900)
    expect(observed.estimateMs).toBeLessThan(1_150)
  })

  it('forgets by halving: what it rests on stays bounded, and a change shows within two halvings', () => {
    const observed = new LatencyQuantile(0.95)
    for (let n = 0; n < 100_000; n++) observed.record(1_000)
    expect(observed.known).toBeLessThanOrEqual(2_048)
    for (let n = 0; n < 6_144; n++) observed.record(10)
    expect(observed.estimateMs).toBeLessThan(12)
  })

  it('copes with zero, with enormous and with negative values', () => {
    const observed = new LatencyQuantile(0.99)
    for (const latencyMs of [0, -5, 1e12, Number.MAX_SAFE_INTEGER]) observed.record(latencyMs)
    expect(Number.isFinite(observed.estimateMs)).toBe(true)
    expect(observed.known).toBe(4)
  })
})
