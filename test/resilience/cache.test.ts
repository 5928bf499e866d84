import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { cache, createContext, HoldfastError, policies, retry } from '../../src/index.ts'
import { testClock } from '../../src/testing/test-clock.ts'

const on = (sku: string) => ({ keys: { sku } })

describe('cache', () => {
  it('answers from memory while the answer is fresh, and asks again after that', async () => {
    const clock = testClock()
    const prices = cache({ by: 'sku', ttlMs: 100, clock })
    const work = vi.fn(async () => clock.nowMs())
    expect(await prices.run(work, on('a'))).toBe(0)
    await clock.advance(99)
    expect(await prices.run(work, on('a'))).toBe(0)
    await clock.advance(1)
    expect(await prices.run(work, on('a'))).toBe(100)
    expect(work).toHaveBeenCalledTimes(2)
    expect(prices.stats()).toEqual({ entries: 1, hits: 1, misses: 2, stale: 0 })
  })

  it('keeps each key apart, and does not cache a call without one', async () => {
    const prices = cache({ by: 'sku', ttlMs: 100, clock: testClock() })
    let n = 0
    const work = () => ++n
    expect(await prices.run(work, on('a'))).toBe(1)
    expect(await prices.run(work, on('b'))).toBe(2)
    expect(await prices.run(work)).toBe(3)
    expect(await prices.run(work)).toBe(4)
    expect(await prices.run(work, on('a'))).toBe(1)
  })

  it('never mixes the answers of two handlers', async () => {
    const both = cache({ by: (_, input) => String(input), ttlMs: 100, clock: testClock() })
    const name = both(async (id: string) => `name of ${id}`)
    const age = both(async (id: string) => id.length)
    const ctx = createContext()
    expect([await name('ann', ctx), await age('ann', ctx)]).toEqual(['name of ann', 3])
    expect([await name('ann', ctx), await age('ann', ctx)]).toEqual(['name of ann', 3])
    expect(both.stats()).toMatchObject({ hits: 2, misses: 2 })
  })

  it('asks once for all who wait', async () => {
    const prices = cache({ by: 'sku', ttlMs: 100, clock: testClock() })
    let end: (price: number) => void = () => {}
    const work = vi.fn(
      () =>
        new Promise<number>((resolve) => {
          end = resolve
        }),
    )
    const calls = Promise.all([1, 2, 3].map(() => prices.run(work, on('a'))))
    await Promise.resolve()
    end(7)
    expect(await calls).toEqual([7, 7, 7])
    expect(work).toHaveBeenCalledTimes(1)
  })

  it('serves what it has when the work fails, no longer than it may, and says so', async () => {
    const clock = testClock()
    const prices = cache({ by: 'sku', ttlMs: 100, staleIfErrorMs: 50, clock })
    const down = () => Promise.reject(new Error('down'))
    const stale = vi.fn()
    prices.on('stale', stale)
    expect(await prices.tryRun(() => 7, on('a'))).toEqual({ ok: true, value: 7, source: 'work' })
    expect(await prices.tryRun(down, on('a'))).toEqual({ ok: true, value: 7, source: 'cache' })
    await clock.advance(149)
    expect(await prices.tryRun(down, on('a'))).toEqual({ ok: true, value: 7, source: 'stale' })
    expect(stale).toHaveBeenCalledWith({ name: 'cache', key: 'a', error: new Error('down') })
    await clock.advance(1)
    expect(await prices.tryRun(down, on('a'))).toMatchObject({ ok: false, error: { message: 'down' } })
    expect(prices.stats().stale).toBe(1)
  })

  it('serves nothing stale to a caller who gave up', async () => {
    const clock = testClock()
    const prices = cache({ by: 'sku', ttlMs: 100, staleIfErrorMs: 50, clock })
    await prices.run(() => 7, on('a'))
    await clock.advance(100)
    const caller = new AbortController()
    const handler = prices(() => new Promise<number>(() => {}))
    const answer = handler(undefined, createContext({ ...on('a'), signal: caller.signal, clock })).catch((error: unknown) => error)
    caller.abort()
    expect(await answer).toMatchObject({ code: 'ABORTED' })
    expect(prices.stats().stale).toBe(0)
  })

  it('keeps no error', async () => {
    const prices = cache({ by: 'sku', ttlMs: 100, clock: testClock() })
    await expect(prices.run(() => Promise.reject(new Error('down')), on('a'))).rejects.toThrow('down')
    await expect(prices.run(() => 7, on('a'))).resolves.toBe(7)
  })

  it('lets a caller leave alone; the work is aborted when the last has left, and asked anew for who comes then', async () => {
    const prices = cache({ by: 'sku', ttlMs: 100, clock: testClock() })
    const signals: AbortSignal[] = []
    const work = ({ signal }: { signal: AbortSignal }) => new Promise<number>(() => void signals.push(signal))
    const [first, second] = [new AbortController(), new AbortController()]
    const one = prices.tryRun(work, { ...on('a'), signal: first.signal })
    const two = prices.tryRun(work, { ...on('a'), signal: second.signal })
    await Promise.resolve()
    first.abort()
    expect(await one).toMatchObject({ ok: false, error: { code: 'ABORTED' } })
    expect(signals.map(({ aborted }) => aborted)).toEqual([false])
    second.abort()
    expect(await two).toMatchObject({ ok: false, error: { code: 'ABORTED' } })
    expect(signals.map(({ aborted }) => aborted)).toEqual([true])
    await expect(prices.run(() => 7, on('a'))).resolves.toBe(7)
  })

  it('does not ask for a caller who had given up before', async () => {
    const work = vi.fn(async () => 1)
    const handler = cache({ by: 'sku', ttlMs: 1, clock: testClock() })(work)
    await expect(handler(1, createContext({ ...on('a'), signal: AbortSignal.abort() }))).rejects.toMatchObject({
      code: 'ABORTED',
      effect: 'none',
    })
    expect(work).not.toHaveBeenCalled()
  })

  it('forgets on demand, also what is on its way', async () => {
    const prices = cache({ by: 'sku', ttlMs: 100, clock: testClock() })
    await prices.run(() => 1, on('a'))
    await prices.run(() => 1, on('b'))
    prices.forget('a')
    expect(await prices.run(() => 2, on('a'))).toBe(2)
    expect(await prices.run(() => 2, on('b'))).toBe(1)
    let end: (price: number) => void = () => {}
    const late = prices.run(
      () =>
        new Promise<number>((resolve) => {
          end = resolve
        }),
      on('c'),
    )
    await Promise.resolve()
    prices.forget()
    end(3)
    expect(await late).toBe(3)
    expect(prices.stats().entries).toBe(0)
  })

  it('is repeated by a retry around it, and stays a policy', async () => {
    const clock = testClock()
    let n = 0
    const call = policies(retry({ delayMs: 10, clock }), cache({ by: 'sku', ttlMs: 100, clock })).run(async () => {
      n += 1
      if (n < 3) throw new Error('down')
      return n
    }, on('a'))
    await clock.advance(1_000)
    expect(await call).toBe(3)
  })

  it('never keeps more than keysMax, and never answers with what is older than it may (property)', async () => {
    const step = fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd'), fails: fc.boolean(), waitMs: fc.integer({ min: 0, max: 60 }) })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 3 }), async (steps, keysMax) => {
        const clock = testClock()
        const kept = cache({ by: 'sku', ttlMs: 50, staleIfErrorMs: 30, keysMax, clock })
        for (const { key, fails, waitMs } of steps) {
          await clock.advance(waitMs)
          const outcome = await kept.tryRun(async () => (fails ? Promise.reject(new Error('down')) : clock.nowMs()), on(key))
          expect(kept.stats().entries).toBeLessThanOrEqual(keysMax)
          if (!outcome.ok) continue
          const ageMs = clock.nowMs() - outcome.value
          expect(ageMs).toBeLessThan(outcome.source === 'stale' ? 80 : outcome.source === 'cache' ? 50 : 1)
        }
      }),
      { numRuns: 60 },
    )
  })

  it('takes new settings while it works', async () => {
    const clock = testClock()
    const prices = cache({ by: 'sku', ttlMs: 100, clock })
    for (const sku of ['a', 'b', 'c']) await prices.run(() => sku, on(sku))
    prices.reconfigure({ ttlMs: 10, keysMax: 2 })
    expect(prices.stats().entries).toBe(2)
    await clock.advance(10)
    expect(await prices.run(() => 'new', on('c'))).toBe('new')
    expect(() => prices.reconfigure({ ttlMs: 0 })).toThrow('ttlMs must be')
  })

  it.each([
    [{ by: 'sku' }, 'ttlMs must be'],
    [{ ttlMs: 1 }, 'by must be'],
    [{ by: 'sku', ttlMs: 1, keysMax: 0 }, 'keysMax must be'],
    [{ by: 'sku', ttlMs: 1, staleIfErrorMs: -1 }, 'staleIfErrorMs must be'],
  ])('refuses %j', (options, message) => {
    expect(() => cache(options as never)).toThrow(message)
    expect(() => cache(options as never)).toThrow(HoldfastError)
  })

  it('refuses a key that is no text, before any effect', async () => {
    const work = vi.fn()
    await expect(cache({ by: () => 3 as never, ttlMs: 1 }).run(work)).rejects.toMatchObject({ code: 'INVALID_INPUT', effect: 'none' })
    expect(work).not.toHaveBeenCalled()
  })
})
