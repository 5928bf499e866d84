import { describe, expect, expectTypeOf, it } from 'vitest'
import { memoryStorage } from '../../src/adapters/memory/index.ts'
import type { Clock } from '../../src/core/clock.ts'
import { createContext } from '../../src/core/create-context.ts'
import { type RateLimitOptions, type RateLimitStats, rateLimit, slidingWindow, tokenBucket } from '../../src/index.ts'
import type { KeyValue } from '../../src/ports/key-value.ts'
import { calm, type Weather, type World, world } from './shared-rate.ts'
import { codeOf, errorOf, settled, thrownBy } from './support.ts'

const made = (at: World, options: Partial<RateLimitOptions> = {}, weather: Weather = calm()) =>
  rateLimit({
    name: 'partner',
    limit: tokenBucket({ ratePerSecond: 10, burst: 5 }),
    store: at.through(weather),
    clock: at.clock,
    ...options,
  })

type Made = ReturnType<typeof made>
const passes = async (limit: Made): Promise<boolean> => (await limit.tryRun(() => 1)).ok
const count = async (limits: readonly Made[], calls: number): Promise<number> => {
  let passed = 0
  for (let n = 0; n < calls; n++) if (await passes(limits[n % limits.length] as Made)) passed += 1
  return passed
}

describe('a shared rateLimit', () => {
  it('is one limit for all who use the store and the key', async () => {
    const at = await world()
    const [one, two, other] = [made(at), made(at), made(at, { key: 'another' })]
    expect(await count([one, two], 12)).toBe(5)
    await at.clock.advance(201)
    expect(await count([two, one], 12)).toBe(2)
    expect(await count([other], 12)).toBe(5)
    expect((await at.store.list()).map(({ key }) => key)).toEqual(['another', 'holdfast/clock', 'holdfast/rate/partner'])
  })

  it('is one limit also where a process stands still while another comes between', async () => {
    const at = await world()
    let stoodStillMs = 0
    const clock: Clock = { ...at.clock, nowMs: () => at.clock.nowMs() + stoodStillMs, setTimer: at.clock.setTimer.bind(at.clock) }
    const stalling: KeyValue = {
      ...at.through(calm()),
      put: (key, value, options) => {
        stoodStillMs += 500
        return at.store.put(key, value, options)
      },
    }
    const window = { limit: slidingWindow({ calls: 3, windowMs: 60_000 }), block: 1 }
    const [quick, slow] = [made(at, window), made(at, { ...window, store: stalling, clock })]
    expect(await count([quick], 2)).toBe(2)
    // What it takes in the end is too late to be used, and nobody else has it.
    expect(await passes(slow)).toBe(false)
    expect(await count([quick, slow], 6)).toBe(0)
    expect(slow.stats().store).toMatchObject({ failed: 0, failing: false })
  })

  it('gives the store up where others come between for longer than storeTimeoutMs', async () => {
    const at = await world()
    const crowded: KeyValue = {
      ...at.through(calm()),
      // It does not heed signals either.
      put: async (key, value, { signal: _, ...options } = {}) => {
        await new Promise<void>((resolve) => void at.clock.setTimer(resolve, 30))
        await at.store.put(key, JSON.stringify({ ...JSON.parse(value), tokens: 5 }))
        return at.store.put(key, value, options)
      },
    }
    const limit = made(at, { store: crowded, whenStoreFails: 'refuse' })
    const call = limit.tryRun(() => 1)
    await at.clock.advance(1_000)
    expect(codeOf(await call)).toBe('RATE_LIMITED')
    expect(limit.stats().store).toMatchObject({ failed: 1, failing: true })
    const { revision } = (await at.store.get('holdfast/rate/partner')) ?? {}
    await at.clock.advance(1_000)
    expect((await at.store.get('holdfast/rate/partner'))?.revision).toBe(revision)
  })

  it('keeps what it says in the store, until that says nothing any more', async () => {
    const at = await world()
    await count([made(at)], 3)
    const entry = await at.store.get('holdfast/rate/partner')
    expect(JSON.parse(entry?.value ?? '')).toEqual({ version: 1, kind: 'token-bucket', tokens: 2, atMs: expect.any(Number) })
    expect(entry?.remainingMs).toBe(301)
    await count([made(at, { key: 'window', limit: slidingWindow({ calls: 3, windowMs: 1_000 }) })], 3)
    const window = await at.store.get('window')
    expect(JSON.parse(window?.value ?? '')).toEqual({ version: 1, kind: 'sliding-window', taken: [[expect.any(Number), 3]] })
    expect(window?.remainingMs).toBeLessThanOrEqual(1_113)
    await at.clock.advance(1_200)
    expect((await at.store.list()).map(({ key }) => key)).toEqual(['holdfast/clock'])
    expect(await count([made(at)], 9)).toBe(5)
  })

  it('asks the store once for a call, and not at all while it knows that nothing is left', async () => {
    const at = await world()
    const limit = made(at)
    await passes(limit)
    // The clock, and the state.
    expect(at.asked).toBe(2)
    await count([limit], 4)
    expect(at.asked).toBe(6)
    const refused = await limit.tryRun(() => 1)
    expect(errorOf(refused)).toMatchObject({ code: 'RATE_LIMITED', effect: 'none', retry: 'later', retryAfterMs: expect.closeTo(100, 0) })
    await count([limit], 50)
    expect(at.asked).toBe(6)
    expect(limit.stats()).toEqual({ admitted: 5, refused: 51, waiting: 0, store: { asked: 6, failed: 0, failing: false } })
  })

  it('asks the store once for all who come at the same time', async () => {
    const at = await world()
    const limit = made(at, { limit: tokenBucket({ ratePerSecond: 100, burst: 50 }), block: 1 })
    const outcomes = await Promise.all(Array.from({ length: 40 }, () => limit.tryRun(() => 1)))
    expect(outcomes.every(({ ok }) => ok)).toBe(true)
    // The clock, the first caller, and the other 39.
    expect(at.asked).toBe(3)
  })

  it('takes more ahead the more is used, up to its block, and less when it was not', async () => {
    const at = await world()
    const limit = made(at, { limit: tokenBucket({ ratePerSecond: 1_000, burst: 1_000 }), block: 8 })
    expect(await count([limit], 64)).toBe(64)
    // 2, 4, 8, 8, …
    expect(at.asked).toBeLessThan(14)
    const before = at.asked
    await at.clock.advance(5_000)
    for (let n = 0; n < 5; n++) {
      await passes(limit)
      await at.clock.advance(5_000)
    }
    await at.clock.advance(1_000)
    expect(await count([limit], 3)).toBe(3)
    expect(at.asked - before).toBeGreaterThanOrEqual(6)
    const { tokens } = JSON.parse((await at.store.get('holdfast/rate/partner'))?.value ?? '') as { tokens: number }
    expect(tokens).toBeGreaterThanOrEqual(1_000 - 3 - 8)
  })

  it('lets as many wait as may, in order, and wakes them when there is room', async () => {
    const at = await world()
    const limit = made(at, { queued: 2 })
    await count([limit], 5)
    const order: number[] = []
    const calls = [0, 1, 2].map((n) => limit.tryRun(async () => void order.push(n)))
    await settled()
    expect(codeOf(await (calls[2] as (typeof calls)[0]))).toBe('RATE_LIMITED')
    expect(limit.stats().waiting).toBe(2)
    await at.clock.advance(102)
    expect(order).toEqual([0])
    await at.clock.advance(102)
    expect(order).toEqual([0, 1])
    await Promise.all(calls)
    await settled()
    expect(at.clock.pending).toBe(0)
  })

  it('lets a waiter leave at once, and uses up nothing for it', async () => {
    const at = await world()
    const limit = made(at, { queued: 5 })
    await count([limit], 5)
    const stop = new AbortController()
    const waiting = limit.tryRun(() => 1, { signal: stop.signal })
    await settled()
    stop.abort(new Error('enough'))
    expect(errorOf(await waiting)).toMatchObject({ code: 'ABORTED', effect: 'none' })
    expect(at.clock.pending).toBe(0)
    await at.clock.advance(201)
    expect(await count([made(at)], 9)).toBe(2)
  })

  it('never holds a caller beyond its deadline, or longer than storeTimeoutMs for the store', async () => {
    const at = await world()
    const hung: Weather = { ...calm(), thereMs: () => 60_000 }
    const limit = made(at, { storeTimeoutMs: 50, whenStoreFails: 'refuse' }, hung)
    const context = createContext({ timeoutMs: 10, clock: at.clock })
    const [hurried, patient] = [limit.tryRun(() => 1, { context }), limit.tryRun(() => 1)]
    let over = 0
    void hurried.then(() => over++)
    void patient.then(() => over++)
    await at.clock.advance(10)
    expect(over).toBe(1)
    expect(codeOf(await hurried)).toBe('DEADLINE')
    await at.clock.advance(40)
    expect(over).toBe(2)
    expect(errorOf(await patient)).toMatchObject({ code: 'RATE_LIMITED', cause: { code: 'STORAGE_UNAVAILABLE' } })
  })

  it('refuses at once who could not pass before its deadline', async () => {
    const at = await world()
    const limit = made(at, { queued: 5 })
    await count([limit], 5)
    const context = createContext({ timeoutMs: 50, clock: at.clock })
    expect(codeOf(await limit.tryRun(() => 1, { context }))).toBe('RATE_LIMITED')
  })

  it('begins a changed limit with what is stored', async () => {
    const at = await world()
    const limit = made(at)
    await count([limit], 4)
    limit.reconfigure({ limit: tokenBucket({ ratePerSecond: 1_000, burst: 3 }) })
    expect(await count([limit], 9)).toBe(1)
    await at.clock.advance(2)
    expect(await count([limit], 9)).toBe(1)
    limit.reconfigure({ limit: slidingWindow({ calls: 2, windowMs: 100 }) })
    expect(await count([limit], 9)).toBe(2)
  })
})

describe('while the store fails, a shared rateLimit', () => {
  const broken = async (options: Partial<RateLimitOptions>) => {
    const at = await world()
    let fate: ReturnType<Weather['fate']> = 'arrives'
    const weather: Weather = { ...calm(), fate: () => fate }
    const limit = made(at, options, weather)
    const heard: string[] = []
    limit.on('storeFailed', ({ name, error }) => heard.push(`${name} failed: ${(error as { code: string }).code}`))
    limit.on('storeBack', ({ name }) => heard.push(`${name} back`))
    return { at, limit, heard, fail: () => (fate = 'lost'), heal: () => (fate = 'arrives') }
  }

  it('keeps to its share alone, by default', async () => {
    const { at, limit, heard, fail, heal } = await broken({ localShare: 0.5 })
    fail()
    // Half of a burst of five, rounded down.
    expect(await count([limit], 20)).toBe(2)
    const refused = errorOf(await limit.tryRun(() => 1))
    expect(refused).toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: expect.closeTo(200, 5) })
    await at.clock.advance(200)
    expect(await count([limit], 20)).toBe(1)
    expect(limit.stats().store).toEqual({ asked: 1, failed: 1, failing: true })
    heal()
    await at.clock.advance(800)
    expect(await count([limit], 20)).toBe(5)
    expect(heard).toEqual(['partner failed: STORAGE_UNAVAILABLE', 'partner back'])
  })

  it('goes on counting alone where it fails again, and does not begin anew', async () => {
    const { at, limit, fail } = await broken({ limit: slidingWindow({ calls: 2, windowMs: 60_000 }) })
    fail()
    for (const passed of [2, 0, 0]) {
      expect(await count([limit], 5)).toBe(passed)
      await at.clock.advance(1_500)
    }
    expect(limit.stats().store).toMatchObject({ asked: 3, failed: 3 })
  })

  it('asks it once a second', async () => {
    const { at, limit, fail } = await broken({ whenStoreFails: 'admit' })
    fail()
    for (let n = 0; n < 40; n++) {
      expect(await count([limit], 3)).toBe(3)
      await at.clock.advance(100)
    }
    expect(at.asked).toBe(4)
  })

  it('refuses all where told to, with the reason', async () => {
    const { limit, fail } = await broken({ whenStoreFails: 'refuse' })
    fail()
    expect(await passes(limit)).toBe(false)
    expect(errorOf(await limit.tryRun(() => 1))).toMatchObject({
      code: 'RATE_LIMITED',
      message: 'partner: the store of the limit does not answer; the next call could pass in 1000 ms',
      retryAfterMs: 1_000,
      cause: { code: 'STORAGE_UNAVAILABLE' },
    })
  })

  it('refuses those who wait, too, where told to', async () => {
    const { at, limit, fail } = await broken({ whenStoreFails: 'refuse', queued: 3 })
    await count([limit], 5)
    const waiting = limit.tryRun(() => 1)
    await settled()
    fail()
    await at.clock.advance(102)
    expect(codeOf(await waiting)).toBe('RATE_LIMITED')
    expect(codeOf(await limit.tryRun(() => 1))).toBe('RATE_LIMITED')
    expect(at.clock.pending).toBe(0)
  })

  it('lets those who wait pass by its share alone, in order', async () => {
    const { at, limit, fail } = await broken({ queued: 3 })
    await count([limit], 5)
    fail()
    const order: number[] = []
    const calls = [0, 1, 2].map((n) => limit.tryRun(async () => void order.push(n)))
    await settled()
    expect(order).toEqual([])
    await at.clock.advance(102)
    expect(order).toEqual([0, 1, 2])
    await Promise.all(calls)
  })

  it('takes a state that is not its own for a failure, and leaves it alone', async () => {
    const { at, limit, heard } = await broken({ whenStoreFails: 'refuse', key: 'mine' })
    await at.store.put('mine', '{"name":"somebody"}')
    expect(await passes(limit)).toBe(false)
    expect(heard).toEqual(['partner failed: STORAGE_CORRUPT'])
    expect((await at.store.get('mine'))?.value).toBe('{"name":"somebody"}')
  })

  it('is local over a store that was never opened', async () => {
    const limit = rateLimit({ limit: tokenBucket({ ratePerSecond: 1, burst: 2 }), store: memoryStorage().keyValue })
    expect(await count([limit], 5)).toBe(2)
  })
})

describe('the options of a shared rateLimit', () => {
  it.each([
    ['key', { key: 'x' }],
    ['whenStoreFails', { whenStoreFails: 'admit' }],
    ['block', { block: 2 }],
    ['storeTimeoutMs', { storeTimeoutMs: 5 }],
  ])('refuse %s without a store', (name, options) => {
    const error = thrownBy(() => rateLimit({ limit: tokenBucket({ ratePerSecond: 1 }), ...(options as object) }))
    expect(error.message).toContain(`${name} must be absent where there is no store`)
  })

  it.each([
    ['store', { store: {} }],
    ['whenStoreFails', { whenStoreFails: 'maybe' }],
    ['localShare', { localShare: 0 }],
    ['storeTimeoutMs', { storeTimeoutMs: 0 }],
    ['block', { block: 0 }],
    ['key', { key: '' }],
    ['limit', { limit: { kind: 'token-bucket', meter: () => ({ take: () => 0 }) } }],
  ])('refuse a wrong %s', (name, options) => {
    const store = memoryStorage().keyValue
    const error = thrownBy(() => rateLimit({ limit: tokenBucket({ ratePerSecond: 1 }), store, ...(options as object) }))
    expect(error).toMatchObject({ code: 'INVALID_OPTIONS', details: { option: name } })
  })

  it('have types', () => {
    expectTypeOf<RateLimitOptions['whenStoreFails']>().toEqualTypeOf<'local' | 'admit' | 'refuse' | undefined>()
    expectTypeOf<RateLimitStats['store']>().toEqualTypeOf<
      { readonly asked: number; readonly failed: number; readonly failing: boolean } | undefined
    >()
  })
})
