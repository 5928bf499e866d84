import fc from 'fast-check'
import { describe, expect, expectTypeOf, it, vi } from 'vitest'
import {
  bulkhead,
  circuitBreaker,
  consecutive,
  fallback,
  HoldfastError,
  type Keyed,
  keyed,
  type Policy,
  policies,
  retry,
} from '../../src/index.ts'
import { testClock } from '../../src/testing/test-clock.ts'

const at = (tenant: string) => ({ keys: { tenant } })
const never = (): Promise<never> => new Promise(() => {})

describe('keyed', () => {
  it('makes one policy per key, when the first call of the key comes', async () => {
    const create = vi.fn((key: string) => bulkhead({ name: key, concurrent: 1 }))
    const perTenant = keyed(create, { by: 'tenant' })
    expect(create).not.toHaveBeenCalled()
    void perTenant.run(never, at('a'))
    await expect(perTenant.run(() => 1, at('a'))).rejects.toMatchObject({ code: 'BULKHEAD_FULL' })
    await expect(perTenant.run(() => 1, at('b'))).resolves.toBe(1)
    expect(create.mock.calls).toEqual([['a'], ['b']])
  })

  it('reads the tenant of the context, a named key, or what a function says', async () => {
    const seen: string[] = []
    const spy = (key: string): Policy => {
      seen.push(key)
      return policies()
    }
    await keyed(spy, { by: 'host' }).run(() => 1, { keys: { host: 'h' } })
    await keyed(spy, { by: (ctx) => `${ctx.keys.a}-${ctx.attempt}` }).run(() => 1, { keys: { a: 'x' } })
    await keyed(spy, { by: 'tenant' }).run(() => 1)
    expect(seen).toEqual(['h', 'x-1', ''])
  })

  it('stacks: per tenant and per host in one composition', async () => {
    const perTenant = keyed(() => bulkhead({ concurrent: 1 }), { by: 'tenant' })
    const perHost = keyed(() => circuitBreaker({ trips: consecutive(1) }), { by: 'host' })
    const both = policies(retry({ attempts: 1 }), perTenant, perHost)
    await both.tryRun(() => Promise.reject(new Error('down')), { keys: { tenant: 't', host: 'a' } })
    await expect(both.run(() => 1, { keys: { tenant: 't', host: 'a' } })).rejects.toMatchObject({ code: 'BREAKER_OPEN' })
    await expect(both.run(() => 1, { keys: { tenant: 't', host: 'b' } })).resolves.toBe(1)
  })

  it('shares one policy of a key among everything it wraps', async () => {
    const perTenant = keyed(() => bulkhead({ concurrent: 1 }), { by: 'tenant' })
    const first = perTenant.wrap(never, { options: () => at('a') })
    const second = perTenant.wrap(async () => 2, { options: () => at('a') })
    void first()
    await expect(second()).rejects.toMatchObject({ code: 'BULKHEAD_FULL' })
  })

  it('forgets the longest unused key at keysMax, and an idle one as others come by', async () => {
    const clock = testClock()
    const perTenant = keyed(() => policies(), { by: 'tenant', keysMax: 3, idleMs: 1_000, clock })
    for (const tenant of ['a', 'b', 'c', 'a', 'd']) await perTenant.run(() => 1, at(tenant))
    expect(perTenant.keys()).toEqual(['c', 'a', 'd'])
    await clock.advance(1_000)
    await perTenant.run(() => 1, at('d'))
    expect(perTenant.keys()).toEqual(['a', 'd'])
    expect(perTenant.stats()).toEqual({ keys: 2, ejected: 0, created: 4, evicted: 2, panicked: 0, refused: 0 })
  })

  it('never forgets a key with calls in flight or held work, and refuses a new key when all are busy', async () => {
    const clock = testClock()
    const perTenant = keyed(() => bulkhead({ concurrent: 1 }), { by: 'tenant', keysMax: 1, clock })
    let end = (): void => {}
    const held = new Promise<void>((resolve) => {
      end = resolve
    })
    await perTenant.run((ctx) => void ctx.hold(held), at('a'))
    const refused = perTenant.run(() => 1, at('b'))
    await expect(refused).rejects.toMatchObject({ code: 'KEYS_EXHAUSTED', effect: 'none', retry: 'later' })
    end()
    await clock.advance(0)
    await expect(perTenant.run(() => 1, at('b'))).resolves.toBe(1)
    expect(perTenant.keys()).toEqual(['b'])
    expect(perTenant.stats().refused).toBe(1)
  })

  it('goes past the policies when more than ejectedMaxShare of the keys are ejected', async () => {
    const clock = testClock()
    const perHost = keyed(() => circuitBreaker({ trips: consecutive(1), openMs: 500, clock }), { by: 'host', ejectedMaxShare: 0.5, clock })
    const on = (host: string) => ({ keys: { host } })
    for (const host of ['a', 'b', 'c', 'd']) await perHost.run(() => 1, on(host))
    const fail = (host: string) => perHost.tryRun(() => Promise.reject(new Error('down')), on(host))
    for (const host of ['a', 'b', 'c']) await fail(host)
    await expect(perHost.run(() => 1, on('a'))).rejects.toMatchObject({ code: 'BREAKER_OPEN' })
    await expect(perHost.run(() => 1, on('b'))).rejects.toMatchObject({ code: 'BREAKER_OPEN' })
    await expect(perHost.run(() => 'answered', on('c'))).resolves.toBe('answered')
    expect(perHost.stats()).toMatchObject({ ejected: 3, panicked: 1 })
    await clock.advance(500)
    expect(perHost.stats().ejected).toBe(0)
  })

  it('does not count a forgotten key as ejected', async () => {
    const breakers = keyed((name) => circuitBreaker({ name, trips: consecutive(1) }), { by: 'host', keysMax: 2, ejectedMaxShare: 0.9 })
    const call = (host: string, work: () => Promise<string>) => breakers.tryRun(work, { keys: { host } })
    const fails = () => Promise.reject(new Error('down'))
    const fine = async () => 'fine'
    for (const work of [fails, fine]) await call('a', work)
    await call('b', fine)
    expect(breakers.stats()).toMatchObject({ ejected: 1, panicked: 1 })
    await call('c', fine)
    expect(breakers.keys()).toEqual(['b', 'c'])
    expect(breakers.stats().ejected).toBe(0)
    for (const work of [fails, fine]) await call('b', work)
    expect(breakers.stats()).toMatchObject({ ejected: 1, panicked: 1 })
  })

  it('does not run work twice that failed with a refusal of its own', async () => {
    const open = circuitBreaker({ trips: consecutive(1) })
    await open.tryRun(() => Promise.reject(new Error('down')))
    const perHost = keyed(() => policies(), { by: 'host', ejectedMaxShare: 0 })
    const work = vi.fn(() => open.run(() => 1))
    await expect(perHost.run(work)).rejects.toMatchObject({ code: 'BREAKER_OPEN' })
    expect(work).toHaveBeenCalledTimes(1)
  })

  it('answers with what create or by throws, before any effect', async () => {
    const work = vi.fn()
    const broken = keyed(
      () => {
        throw new Error('no such tenant')
      },
      { by: 'tenant' },
    )
    await expect(broken.run(work)).rejects.toThrow('no such tenant')
    await expect(keyed(() => 3 as never, { by: 'tenant' }).run(work)).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
    await expect(keyed(() => policies(), { by: () => 3 as never }).run(work)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      effect: 'none',
    })
    expect(work).not.toHaveBeenCalled()
  })

  it('widens the result by what its recoveries may answer', async () => {
    const recovering = keyed(() => fallback('none' as const), { by: 'tenant' })
    expectTypeOf(recovering).toExtend<Keyed<'none'>>()
    expectTypeOf(keyed(() => retry(), { by: 'tenant' })).toExtend<Policy>()
    const answer = await recovering.run(async (): Promise<number> => Promise.reject(new Error('down')))
    expectTypeOf(answer).toEqualTypeOf<number | 'none'>()
    expect(answer).toBe('none')
  })

  it.each([
    [undefined, 'by must be'],
    [{ by: '' }, 'by must be'],
    [{ by: 'tenant', keysMax: 0 }, 'keysMax must be a whole number of at least 1, got 0'],
    [{ by: 'tenant', idleMs: 0 }, 'idleMs must be'],
    [{ by: 'tenant', ejectedMaxShare: 2 }, 'ejectedMaxShare must be'],
  ])('refuses %j', (options, message) => {
    const make = () => keyed(() => policies(), options as never)
    expect(make).toThrow(message)
    expect(make).toThrow(HoldfastError)
  })

  it('never exceeds keysMax, never loses a busy key, and counts every call (property)', async () => {
    const step = fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd', 'e'), act: fc.constantFrom('quick', 'start', 'end', 'wait') })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 4 }), async (steps, keysMax) => {
        const clock = testClock()
        const table = keyed(() => bulkhead({ concurrent: 100 }), { by: 'tenant', keysMax, idleMs: 50, clock })
        const running: { key: string; end: () => void }[] = []
        for (const { key, act } of steps) {
          if (act === 'wait') await clock.advance(30)
          else if (act === 'end') running.shift()?.end()
          else {
            const call = table.tryRun<unknown>(
              () => (act === 'quick' ? 1 : new Promise<void>((end) => void running.push({ key, end }))),
              at(key),
            )
            if (act === 'quick') await call
          }
          await Promise.resolve()
          await new Promise((resolve) => setImmediate(resolve))
          expect(table.keys().length).toBeLessThanOrEqual(keysMax)
          for (const busy of running) expect(table.keys()).toContain(busy.key)
        }
        for (const { end } of running) end()
      }),
      { numRuns: 60 },
    )
  })
})
