import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { HoldfastError, metrics, policies, retry, retryBudget, timeout } from '../../src/index.ts'
import { retryPlan } from '../../src/resilience/retry-options.ts'
import { testClock } from '../../src/testing/test-clock.ts'

const down = () => Promise.reject(new Error('down'))

describe('retry by result', () => {
  it('tries again while the classifier calls the answer a failure, and answers the last one as it is', async () => {
    const clock = testClock()
    const classify = vi.fn((outcome: { ok: boolean; value?: unknown }) =>
      outcome.ok && outcome.value === 'busy' ? ('failure' as const) : ('success' as const),
    )
    const answers = ['busy', 'busy', 'done']
    const again = retry({ delayMs: 10, clock, classify: classify as never })
    const good = again.run(() => answers.shift())
    await clock.advance(1_000)
    expect(await good).toBe('done')
    const work = vi.fn(() => 'busy')
    const bad = again.run(work)
    await clock.advance(1_000)
    expect(await bad).toBe('busy')
    expect(work).toHaveBeenCalledTimes(3)
    expect(again.stats()).toEqual({ failed: 2, retried: 4, recovered: 1, overBudget: 0 })
  })

  it('works around a timeout, where a retry otherwise takes over from the frame', async () => {
    const clock = testClock()
    let n = 0
    const both = policies(
      retry({ delayMs: 10, clock, classify: (o) => (o.ok && o.value === 1 ? 'failure' : 'success') }),
      timeout({ timeoutMs: 50, clock }),
    )
    const call = both.run(() => ++n)
    await clock.advance(100)
    expect(await call).toBe(2)
  })

  it('takes an answer that the classifier cannot judge', async () => {
    const again = retry({
      classify: () => {
        throw new Error('classifier')
      },
    })
    expect(await again.run(() => 1)).toBe(1)
  })
})

describe('back-off', () => {
  const plan = (options: object) => retryPlan('retry', { random: () => 0.5, ...options })

  it('draws a decorrelated delay between the base and three times the one before, up to the bound (property)', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        fc.integer({ min: 0, max: 10_000 }),
        (delayMs, chance, beforeMs) => {
          const { delayAfterMs } = plan({ backoff: 'decorrelated', delayMs, delayMaxMs: 5_000, random: () => chance })
          const before = Math.max(delayMs, beforeMs)
          const drawn = delayAfterMs(3, undefined, before)
          expect(drawn).toBeGreaterThanOrEqual(delayMs)
          expect(drawn).toBeLessThanOrEqual(Math.min(5_000, before * 3))
        },
      ),
    )
  })

  it('asks a function of the attempt and the error, within the bounds', () => {
    const own = plan({ backoff: (attempt: number, error: unknown) => attempt * (error as number), delayMaxMs: 5_000 })
    expect(own.delayAfterMs(2, 100)).toBe(200)
    expect(own.delayAfterMs(2, 100_000)).toBe(5_000)
    expect(own.delayAfterMs(2, -5)).toBe(0)
    expect(own.delayAfterMs(2, Number.NaN)).toBe(5_000)
  })

  it('never overflows, however many attempts', () => {
    for (const backoff of ['exponential', 'decorrelated', 'constant'] as const)
      expect(plan({ backoff, delayMs: 100, delayMaxMs: 30_000 }).delayAfterMs(1e9, undefined)).toBeLessThanOrEqual(30_000)
  })

  it('refuses a back-off it does not know', () => {
    expect(() => retry({ backoff: 'linear' as never })).toThrow("backoff must be 'constant', 'exponential', 'decorrelated', or a function")
  })
})

describe('retryBudget', () => {
  it('bounds the load in an outage to a share of the calls', async () => {
    const clock = testClock()
    const budget = retryBudget({ retriesPerCall: 0.2, minPerSecond: 0, clock })
    const again = retry({ attempts: 3, delayMs: 0, clock, budget })
    const work = vi.fn(down)
    for (let n = 0; n < 100; n++) {
      const call = again.tryRun(work)
      await clock.advance(0)
      await call
    }
    expect(work).toHaveBeenCalledTimes(120)
    expect(again.stats()).toMatchObject({ retried: 20, overBudget: 100 })
  })

  it('is handed on to the retries inside, so that layers do not multiply', async () => {
    const clock = testClock()
    const budget = retryBudget({ retriesPerCall: 0.1, minPerSecond: 0, clock })
    const nested = policies(
      retry({ attempts: 3, delayMs: 0, clock, budget }),
      retry({ attempts: 3, delayMs: 0, clock }),
      retry({ attempts: 3, delayMs: 0, clock, budget }),
    )
    const work = vi.fn(down)
    for (let n = 0; n < 100; n++) {
      const call = nested.tryRun(work)
      await clock.advance(0)
      await call
    }
    expect(work.mock.calls.length).toBe(110)
  })

  it('is not spent by waiting out a refusal', async () => {
    const clock = testClock()
    const budget = retryBudget({ retriesPerCall: 0, minPerSecond: 1, clock })
    const again = retry({ attempts: 3, delayMs: 100, random: () => 0, elapsedMaxMs: 60_000, clock, budget })
    let refusals = 5
    const call = again.run(() => {
      if (refusals-- > 0) throw new HoldfastError('BULKHEAD_FULL', 'full', { effect: 'none', retry: 'later' })
      return 'through'
    })
    await clock.advance(900)
    expect(await call).toBe('through')
    expect([budget.available, again.stats().overBudget]).toEqual([1, 0])
  })

  it('allows some retries per second however few calls there are, and saves up only so many', async () => {
    const clock = testClock()
    const budget = retryBudget({ retriesPerCall: 1, minPerSecond: 2, savedMax: 5, clock })
    expect(budget.available).toBe(2)
    for (let n = 0; n < 20; n++) budget.earn()
    expect(budget.available).toBe(5)
    for (let n = 0; n < 5; n++) expect(budget.spend()).toBe(true)
    expect(budget.spend()).toBe(false)
    await clock.advance(500)
    expect(budget.available).toBe(1)
    await clock.advance(60_000)
    expect(budget.available).toBe(2)
  })

  it('keeps the idempotency key, the deadline and the abort of the call', async () => {
    const clock = testClock()
    const budget = retryBudget({ clock })
    const keys = new Set<string>()
    const controller = new AbortController()
    const call = retry({ attempts: 3, delayMs: 100, clock, budget }).tryRun(
      (ctx) => {
        keys.add(ctx.idempotencyKey)
        return down()
      },
      { signal: controller.signal },
    )
    await clock.advance(150)
    expect(keys.size).toBe(1)
    controller.abort('bye')
    expect(await call).toMatchObject({ error: { code: 'ABORTED', cause: 'bye' } })
    expect(clock.pending).toBe(0)
  })

  it.each([{ retriesPerCall: -1 }, { minPerSecond: -1 }, { savedMax: 0 }, { ratio: 1 }])('refuses %j', (options) => {
    expect(() => retryBudget(options as never)).toThrow(HoldfastError)
  })

  it('is refused by retry when it is none', () => {
    expect(() => retry({ budget: {} as never })).toThrow('budget must be made by retryBudget()')
  })
})

describe('a retry that is managed', () => {
  it('tells of every retry and can be reconfigured live', async () => {
    const clock = testClock()
    const again = retry({ name: 'crm', attempts: 3, delayMs: 10, backoff: 'constant', clock })
    const told: unknown[] = []
    again.on('retried', ({ attempt, delayMs }) => void told.push([attempt, delayMs]))
    again.reconfigure({ attempts: 2, delayMs: 20 })
    const call = again.tryRun(down)
    await clock.advance(100)
    expect(await call).toMatchObject({ ok: false })
    expect(told).toEqual([[2, 20]])
    expect(again.name).toBe('crm')
    expect(metrics().find(({ name }) => name === 'crm')).toEqual({
      policy: 'retry',
      name: 'crm',
      stats: { failed: 1, retried: 1, recovered: 0, overBudget: 0 },
    })
  })

  it('changes nothing when a reconfiguration is refused', async () => {
    const clock = testClock()
    const again = retry({ attempts: 2, delayMs: 10, clock })
    expect(() => again.reconfigure({ attempts: 0 })).toThrow('attempts must be')
    expect(() => again.reconfigure({ name: 'x' } as never)).toThrow('unknown option name')
    const work = vi.fn(down)
    const call = again.tryRun(work)
    await clock.advance(100)
    await call
    expect(work).toHaveBeenCalledTimes(2)
  })

  it('keeps elapsedMaxMs while other options change', async () => {
    const clock = testClock()
    const again = retry({ attempts: 100, delayMs: 100, backoff: 'constant', elapsedMaxMs: 250, clock })
    again.reconfigure({ attempts: 50 })
    const work = vi.fn(down)
    const call = again.tryRun(work)
    await clock.advance(10_000)
    await call
    expect(work).toHaveBeenCalledTimes(3)
  })
})
