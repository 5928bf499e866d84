import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HoldfastError, policies, rateLimit, slidingWindow, timeout, tokenBucket } from '../../src/index.ts'
import { testClock } from '../../src/testing/test-clock.ts'

describe('rateLimit', () => {
  it('lets a burst pass and then the rate', async () => {
    const clock = testClock()
    const limit = rateLimit({ limit: tokenBucket({ ratePerSecond: 10, burst: 3 }), clock })
    const now = async () => (await limit.tryRun(() => 1)).ok
    expect([await now(), await now(), await now(), await now()]).toEqual([true, true, true, false])
    await clock.advance(99)
    expect(await now()).toBe(false)
    await clock.advance(1)
    expect([await now(), await now()]).toEqual([true, false])
  })

  it('says when the next call could pass, and a caller who waits that long passes', async () => {
    const clock = testClock()
    const limit = rateLimit({ name: 'partner', limit: tokenBucket({ ratePerSecond: 3, burst: 1 }), clock })
    await limit.run(() => 1)
    const refused = await limit.tryRun(() => 1)
    expect(refused).toMatchObject({ ok: false, error: { code: 'RATE_LIMITED', effect: 'none', retry: 'later' } })
    const { retryAfterMs, message } = (refused as { error: HoldfastError }).error
    expect(retryAfterMs).toBeCloseTo(333.33, 1)
    expect(message).toBe('partner: the limit is reached; the next call could pass in 334 ms')
    await clock.advance(retryAfterMs as number)
    await expect(limit.run(() => 1)).resolves.toBe(1)
  })

  it('never lets more pass in a sliding window than it says, at no moment (property)', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 5, max: 100 }),
        fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 80 }),
        async (calls, windowMs, pauses) => {
          const clock = testClock()
          const limit = rateLimit({ limit: slidingWindow({ calls, windowMs }), clock })
          const passed: number[] = []
          let nowMs = 0
          for (const pause of pauses) {
            await clock.advance(pause)
            nowMs += pause
            if ((await limit.tryRun(() => 1)).ok) passed.push(nowMs)
            else expect(passed.filter((at) => at > nowMs - windowMs)).toHaveLength(calls)
          }
          for (const at of passed) expect(passed.filter((other) => other >= at && other < at + windowMs).length).toBeLessThanOrEqual(calls)
        },
      ),
      { numRuns: 40 },
    )
  })

  it('never lets more than burst + rate × time pass through a token bucket (property)', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 60 }),
        async (ratePerSecond, burst, pauses) => {
          const clock = testClock()
          const limit = rateLimit({ limit: tokenBucket({ ratePerSecond, burst }), clock })
          const passed: number[] = []
          let nowMs = 0
          for (const pause of pauses) {
            await clock.advance(pause)
            nowMs += pause
            if ((await limit.tryRun(() => 1)).ok) passed.push(nowMs)
          }
          passed.forEach((from, i) => {
            passed.slice(i).forEach((to, n) => {
              expect(n + 1).toBeLessThanOrEqual(burst + ((to - from) * ratePerSecond) / 1_000 + 1e-6)
            })
          })
        },
      ),
      { numRuns: 40 },
    )
  })

  it('loses no token to a clock that steps back, and gains none', () => {
    const meter = tokenBucket({ ratePerSecond: 10, burst: 5 }).meter(10_000)
    expect(meter.take(10_000)).toBe(0)
    for (const left of [3, 2, 1, 0]) expect([left, meter.take(9_000)]).toEqual([left, 0])
    expect(meter.take(9_000)).toBeCloseTo(100)
    expect(meter.take(9_100)).toBe(0)
    expect(meter.take(9_100)).toBeCloseTo(100)
  })

  it('lets waiters pass in order of arrival, each at its time, and nobody overtakes', async () => {
    const clock = testClock()
    const limit = rateLimit({ limit: tokenBucket({ ratePerSecond: 10, burst: 1 }), queued: 3, clock })
    const order: string[] = []
    const call = (name: string) => limit.tryRun(() => void order.push(`${name}@${clock.nowMs()}`))
    for (const name of ['a', 'b', 'c', 'd']) void call(name)
    expect(await call('e')).toMatchObject({ error: { code: 'RATE_LIMITED' } })
    await clock.advance(100)
    void call('f')
    await clock.advance(400)
    expect(order).toEqual(['a@0', 'b@100', 'c@200', 'd@300', 'f@400'])
    expect(limit.stats()).toEqual({ admitted: 5, refused: 1, waiting: 0 })
    expect(clock.pending).toBe(0)
  })

  it('lets a waiter leave at once when its caller gives up, and uses up nothing for it', async () => {
    const clock = testClock()
    const limit = rateLimit({ limit: tokenBucket({ ratePerSecond: 10, burst: 1 }), queued: 5, clock })
    await limit.run(() => 1)
    const controller = new AbortController()
    const leaves = limit.tryRun(() => 1, { signal: controller.signal })
    const stays = limit.tryRun(() => clock.nowMs())
    await clock.advance(50)
    controller.abort('bye')
    expect(await leaves).toMatchObject({ error: { code: 'ABORTED' } })
    await clock.advance(50)
    expect(await stays).toMatchObject({ ok: true, value: 100 })
    expect(clock.pending).toBe(0)
  })

  it('sets no timer for a queue that everybody has left', async () => {
    const clock = testClock()
    const limit = policies(
      timeout({ timeoutMs: 20, clock }),
      rateLimit({ limit: slidingWindow({ calls: 1, windowMs: 25 }), queued: 5, clock }),
    )
    await limit.run(() => 1)
    await clock.advance(10)
    const waits = limit.tryRun(() => 1)
    await clock.advance(10)
    expect((await limit.tryRun(() => 1, { timeoutMs: 1 })).ok).toBe(false)
    await clock.advance(20)
    await waits
    await clock.advance(0)
    expect(clock.pending).toBe(0)
  })

  it('refuses at once who could not pass before the deadline', async () => {
    const clock = testClock()
    const restore = clock.install()
    try {
      const limit = rateLimit({ limit: slidingWindow({ calls: 1, windowMs: 1_000 }), queued: 5 })
      await limit.run(() => 1)
      expect(await limit.tryRun(() => 1, { timeoutMs: 500 })).toMatchObject({ error: { code: 'RATE_LIMITED', retryAfterMs: 1_000 } })
    } finally {
      restore()
    }
  })

  it('takes a new limit while calls wait', async () => {
    const clock = testClock()
    const limit = rateLimit({ limit: tokenBucket({ ratePerSecond: 0.001, burst: 1 }), queued: 2, clock })
    await limit.run(() => 1)
    const waits = limit.run(() => 'passed')
    limit.reconfigure({ limit: tokenBucket({ ratePerSecond: 1, burst: 1 }) })
    expect(await waits).toBe('passed')
    await clock.advance(0)
    expect(clock.pending).toBe(0)
  })

  it.each([
    [undefined, 'limit must be tokenBucket({ … }) or slidingWindow({ … })'],
    [{ limit: { ratePerSecond: 3 } }, 'limit must be'],
    [{ limit: tokenBucket({ ratePerSecond: 1 }), queued: -1 }, 'queued must be a whole number of at least 0, got -1'],
  ])('refuses %j', (options, message) => {
    expect(() => rateLimit(options as never)).toThrow(message)
    expect(() => rateLimit(options as never)).toThrow(HoldfastError)
  })

  it.each([
    () => tokenBucket({ ratePerSecond: 0 }),
    () => tokenBucket({ ratePerSecond: 1, burst: 0 }),
    () => slidingWindow({ calls: 0, windowMs: 1 }),
    () => slidingWindow({ calls: 1, windowMs: 0 }),
    () => slidingWindow({ calls: 1e6, windowMs: 1 }),
  ])('refuses a limit that limits nothing or cannot be kept: %s', (make) => {
    expect(make).toThrow(HoldfastError)
  })
})
