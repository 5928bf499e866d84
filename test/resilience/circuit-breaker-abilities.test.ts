import { describe, expect, test } from 'vitest'
import { diagnostics } from '../../src/core/diagnostics.ts'
import {
  type CircuitBreaker,
  type CircuitBreakerOptions,
  circuitBreaker,
  consecutive,
  countWindow,
  metrics,
  policies,
  timeWindow,
} from '../../src/index.ts'
import { testClock } from '../../src/testing/test-clock.ts'
import { boom, codeOf, deferred, errorOf, settled, thrownBy } from './support.ts'

const fine = () => 'fine'
function made(options: CircuitBreakerOptions = {}) {
  const clock = testClock()
  return { clock, breaker: circuitBreaker({ name: 'stock', clock, trips: consecutive(2), openMs: 1_000, ...options }) }
}
async function trip(breaker: CircuitBreaker) {
  for (let n = 0; n < 2; n++) await breaker.tryRun(boom)
}
/** How many of so many calls are let through. */
async function admitted(breaker: CircuitBreaker, calls: number): Promise<number> {
  let through = 0
  for (let n = 0; n < calls; n++) if ((await breaker.tryRun(fine)).ok) through += 1
  return through
}

describe('ramp', () => {
  async function ramping(options: CircuitBreakerOptions = {}) {
    const { clock, breaker } = made({ rampMs: 1_000, ...options })
    await trip(breaker)
    await clock.advance(1_000)
    await breaker.run(fine)
    return { clock, breaker }
  }

  test('the share of calls let through grows evenly from a tenth to all', async () => {
    const { clock, breaker } = await ramping()
    expect(breaker.state).toBe('half-open')
    expect(breaker.stats().share).toBeCloseTo(0.1)
    expect(await admitted(breaker, 100)).toBeGreaterThanOrEqual(9)
    expect(await admitted(breaker, 100)).toBeLessThanOrEqual(11)
    await clock.advance(500)
    expect(breaker.stats().share).toBeCloseTo(0.55)
    const half = await admitted(breaker, 100)
    expect(half).toBeGreaterThanOrEqual(54)
    expect(half).toBeLessThanOrEqual(56)
    await clock.advance(500)
    expect(breaker.state).toBe('closed')
    expect(await admitted(breaker, 100)).toBe(100)
    expect(breaker.stats()).toMatchObject({ state: 'closed', share: 1 })
  })

  test('its first call is let through, and one that is refused is told so without a stack of its own', async () => {
    const { breaker } = await ramping()
    expect(codeOf(await breaker.tryRun(fine))).toBe('ok')
    const refused = errorOf(await breaker.tryRun(fine))
    expect(refused).toMatchObject({ code: 'BREAKER_OPEN', effect: 'none', retry: 'later', retryAfterMs: 100 })
    expect(errorOf(await breaker.tryRun(fine))).toBe(refused)
  })

  test('a trip meanwhile opens it again, for longer', async () => {
    const { clock, breaker } = await ramping({ openMaxMs: 8_000 })
    await clock.advance(900)
    await trip(breaker)
    await trip(breaker)
    expect(breaker.state).toBe('open')
    expect(breaker.stats().openRemainingMs).toBe(2_000)
    await clock.advance(2_000)
    expect(breaker.state).toBe('half-open')
  })

  test('outcomes of the ramp count on once it is closed, and tell of closed once', async () => {
    const { clock, breaker } = await ramping()
    const events: string[] = []
    breaker.on('closed', () => events.push('closed'))
    await clock.advance(999)
    await breaker.tryRun(boom)
    await clock.advance(1)
    expect(breaker.state).toBe('closed')
    await breaker.tryRun(boom)
    expect(breaker.state).toBe('open')
    expect(events).toEqual(['closed'])
  })

  test('one with nothing to follow is refused: no probes, no half-open', () => {
    expect(thrownBy(() => circuitBreaker({ probes: 0, rampMs: 100 })).code).toBe('INVALID_OPTIONS')
    expect(thrownBy(() => circuitBreaker({ rampMs: -1 })).message).toContain('rampMs')
  })
})

describe('isolate', () => {
  test('refuses everything until it is released, and says no time', async () => {
    const { breaker } = made()
    const isolation = breaker.isolate()
    expect(breaker.state).toBe('isolated')
    const error = errorOf(await breaker.tryRun(fine))
    expect(error).toMatchObject({ code: 'BREAKER_ISOLATED', effect: 'none', retry: 'later' })
    expect(error.retryAfterMs).toBeUndefined()
    isolation.release()
    expect(breaker.state).toBe('closed')
    expect(await breaker.run(fine)).toBe('fine')
  })

  test('can be disposed of, and released twice', () => {
    const { breaker } = made()
    const one = breaker.isolate()
    const two = breaker.isolate()
    one[Symbol.dispose]()
    one.release()
    expect(breaker.state).toBe('isolated')
    two.release()
    expect(breaker.state).toBe('closed')
  })

  test('keeps what is left of an open time', async () => {
    const { clock, breaker } = made()
    await trip(breaker)
    const isolation = breaker.isolate()
    await clock.advance(400)
    isolation.release()
    expect(breaker.state).toBe('open')
    expect(breaker.stats().openRemainingMs).toBe(600)
    await clock.advance(600)
    expect(breaker.state).toBe('half-open')
  })

  test('outcomes of calls from before count nothing, the window stays', async () => {
    const { breaker } = made()
    const call = deferred()
    const out = breaker.tryRun(() => call.promise)
    await breaker.tryRun(boom)
    const isolation = breaker.isolate()
    call.reject(new Error('late'))
    await out
    isolation.release()
    expect(breaker.state).toBe('closed')
    await breaker.tryRun(boom)
    expect(breaker.state).toBe('open')
  })

  test('a probe that was out when it began decides nothing', async () => {
    const { clock, breaker } = made()
    await trip(breaker)
    await clock.advance(1_000)
    const probe = deferred()
    const out = breaker.run(() => probe.promise)
    const isolation = breaker.isolate()
    probe.resolve(1)
    await out
    isolation.release()
    expect(breaker.state).toBe('half-open')
    await breaker.run(fine)
    expect(breaker.state).toBe('closed')
  })
})

describe('close', () => {
  test('closes an open one, ends isolations and forgets the window', async () => {
    const { breaker } = made()
    await trip(breaker)
    const isolation = breaker.isolate()
    breaker.close()
    expect(breaker.state).toBe('closed')
    isolation.release()
    await breaker.tryRun(boom)
    breaker.close()
    await breaker.tryRun(boom)
    expect(breaker.state).toBe('closed')
  })
})

describe('metricsOnly', () => {
  test('never refuses, but counts and tells', async () => {
    const { clock, breaker } = made({ metricsOnly: true })
    const events: string[] = []
    for (const event of ['opened', 'halfOpened', 'closed'] as const) breaker.on(event, () => events.push(event))
    await trip(breaker)
    expect(breaker.state).toBe('open')
    expect(await admitted(breaker, 5)).toBe(5)
    await clock.advance(1_000)
    await breaker.run(fine)
    expect(events).toEqual(['opened', 'halfOpened', 'closed'])
    expect(breaker.stats()).toMatchObject({ refused: 5, failed: 2, succeeded: 1, opened: 1 })
  })

  test('refuses from the moment it is told to', async () => {
    const { breaker } = made({ metricsOnly: true })
    await trip(breaker)
    breaker.reconfigure({ metricsOnly: false })
    expect(codeOf(await breaker.tryRun(fine))).toBe('BREAKER_OPEN')
  })
})

describe('hazard H: calls that hang cannot hide an outage', () => {
  const trips = timeWindow({ windowMs: 10_000, minimumCalls: 10, slowCallMs: 800, slowRatio: 0.9 })

  test('100 calls that never end count as slow when another call comes by', async () => {
    const { clock, breaker } = made({ trips })
    for (let n = 0; n < 100; n++) void breaker.tryRun(() => new Promise(() => {}))
    await clock.advance(900)
    expect(clock.pending).toBe(0)
    expect(codeOf(await breaker.tryRun(fine))).toBe('BREAKER_OPEN')
  })

  test('not before their time', async () => {
    const { clock, breaker } = made({ trips })
    for (let n = 0; n < 100; n++) void breaker.tryRun(() => new Promise(() => {}))
    await clock.advance(800)
    expect(codeOf(await breaker.tryRun(fine))).toBe('ok')
  })

  test('they do not dilute the failures of others: 100 hang, 60 of 60 fail', async () => {
    const { clock, breaker } = made({ trips: timeWindow({ windowMs: 60_000, minimumCalls: 60, slowCallMs: 800, slowRatio: 1 }) })
    for (let n = 0; n < 100; n++) void breaker.tryRun(() => new Promise(() => {}))
    await breaker.run(fine)
    await clock.advance(2_000)
    for (let n = 0; n < 58; n++) await breaker.tryRun(boom)
    expect(breaker.state).toBe('closed')
    await breaker.tryRun(boom)
    expect(breaker.state).toBe('open')
  })

  test('one that ends late counts once as slow, and for what it answered', async () => {
    const { clock, breaker } = made({ trips })
    const call = deferred()
    const out = breaker.tryRun(() => call.promise)
    await clock.advance(5_000)
    await breaker.run(fine)
    call.reject(new Error('late'))
    await out
    expect(breaker.snapshot().windows).toEqual([{ kind: 'time-window', calls: 2, failures: 1, timed: 2, slow: 1 }])
  })

  test('one whose outcome is ignored before its time leaves no trace', async () => {
    const { clock, breaker } = made({ trips, classify: () => 'ignore' })
    await admitted(breaker, 20)
    await clock.advance(5_000)
    await breaker.run(fine)
    expect(breaker.snapshot().windows).toEqual([{ kind: 'time-window', calls: 0, failures: 0, timed: 0, slow: 0 }])
  })

  test.each([
    ['alone', trips],
    ['beside another trip', [trips, consecutive(99)]],
  ])('those of before an isolation are not counted after it (%s)', async (_, watching) => {
    const { clock, breaker } = made({ trips: watching })
    for (let n = 0; n < 20; n++) void breaker.tryRun(() => new Promise(() => {}))
    breaker.isolate().release()
    await clock.advance(1_000)
    await breaker.run(fine)
    await clock.advance(1_000)
    expect(codeOf(await breaker.tryRun(fine))).toBe('ok')
    expect(breaker.state).toBe('closed')
  })

  test('those of before a trip are not counted after it', async () => {
    const { clock, breaker } = made({ trips })
    for (let n = 0; n < 20; n++) void breaker.tryRun(() => new Promise(() => {}))
    for (let n = 0; n < 10; n++) await breaker.tryRun(boom)
    await clock.advance(1_000)
    await breaker.run(fine)
    await clock.advance(1_000)
    await breaker.run(fine)
    expect(breaker.state).toBe('closed')
  })
})

describe('reconfigure', () => {
  test('keeps the window, also for trips of another size', async () => {
    const { breaker } = made({ trips: consecutive(5) })
    await trip(breaker)
    breaker.reconfigure({ trips: consecutive(3) })
    expect(breaker.state).toBe('closed')
    await breaker.tryRun(boom)
    expect(breaker.state).toBe('open')
  })

  test('of a shorter window of calls, the latest stay', async () => {
    const { breaker } = made({ trips: countWindow({ calls: 4, failureRatio: 1 }) })
    for (const work of [boom, boom, fine, fine, fine]) await breaker.tryRun(work)
    breaker.reconfigure({ trips: countWindow({ calls: 3, failureRatio: 1 }) })
    expect(breaker.snapshot().windows).toEqual([{ kind: 'count-window', calls: 3, failures: 0 }])
  })

  test('of two trips of one kind each keeps the window of its own', async () => {
    const trips = (failureRatio: number) => [2, 4].map((calls) => countWindow({ calls, failureRatio }))
    const { breaker } = made({ trips: trips(1) })
    for (const work of [boom, fine, fine, fine]) await breaker.tryRun(work)
    breaker.reconfigure({ trips: trips(0.9) })
    expect(breaker.snapshot().windows).toMatchObject([
      { calls: 2, failures: 0 },
      { calls: 4, failures: 1 },
    ])
  })

  test('an open period keeps its time, the next one has the new one', async () => {
    const { clock, breaker } = made()
    await trip(breaker)
    breaker.reconfigure({ openMs: 5_000 })
    await clock.advance(1_000)
    await breaker.tryRun(boom)
    expect(breaker.stats().openRemainingMs).toBe(5_000)
  })

  test('fewer probes than have succeeded close it', async () => {
    const { clock, breaker } = made({ probes: 3 })
    await trip(breaker)
    await clock.advance(1_000)
    await breaker.run(fine)
    await breaker.run(fine)
    breaker.reconfigure({ probes: 2 })
    expect(breaker.state).toBe('closed')
  })

  test('refuses what does not fit together, and then nothing has changed', async () => {
    const { breaker } = made({ openMs: 1_000 })
    for (const changes of [{ probes: 0 }, { openMs: 10, openMaxMs: 5 }, { trips: timeWindow({ windowMs: 100 }) }, { openms: 5 }])
      expect(thrownBy(() => breaker.reconfigure(changes as object)).code).toBe('INVALID_OPTIONS')
    await trip(breaker)
    expect(breaker.stats().openRemainingMs).toBe(1_000)
  })
})

describe('snapshot and restore', () => {
  test('a successor stays open for what is left, and then probes', async () => {
    const { clock, breaker } = made({ openMaxMs: 4_000 })
    await trip(breaker)
    await clock.advance(300)
    const kept = JSON.parse(JSON.stringify(breaker.snapshot()))
    expect(kept).toEqual({
      version: 1,
      state: 'open',
      openRemainingMs: 700,
      openMs: 1_000,
      windows: [{ kind: 'consecutive', calls: 2, failures: 2 }],
    })
    const next = made({ openMaxMs: 4_000 })
    next.breaker.restore(kept)
    expect(next.breaker.stats()).toMatchObject({ state: 'open', openRemainingMs: 700 })
    await next.clock.advance(700)
    await next.breaker.tryRun(boom)
    expect(next.breaker.stats().openRemainingMs).toBe(2_000)
  })

  test('a closed one hands its window on, an isolated one what lies beneath', async () => {
    const { breaker } = made()
    await breaker.tryRun(boom)
    breaker.isolate()
    const next = made()
    next.breaker.restore(breaker.snapshot())
    expect(next.breaker.state).toBe('closed')
    await next.breaker.tryRun(boom)
    expect(next.breaker.state).toBe('open')
  })

  test('windows of other trips are left aside, a longer open time is cut to its own', () => {
    const { breaker } = made({ openMaxMs: 2_000 })
    const windows = [{ kind: 'count-window' as const, calls: 9, failures: 9 }]
    breaker.restore({ version: 1, state: 'open', openRemainingMs: 9e9, openMs: 9e9, windows })
    expect(breaker.stats().openRemainingMs).toBe(2_000)
    breaker.restore({ version: 1, state: 'closed', openRemainingMs: 0, openMs: 1_000 })
    expect(breaker.state).toBe('closed')
  })

  test.each([
    null,
    { version: 2, state: 'closed', openRemainingMs: 0, openMs: 1 },
    { version: 1, state: 'isolated', openRemainingMs: 0, openMs: 1 },
    { version: 1, state: 'open', openRemainingMs: Number.NaN, openMs: 1 },
    { version: 1, state: 'open', openRemainingMs: -1, openMs: 1 },
    { version: 1, state: 'closed', openRemainingMs: 0, openMs: 1, windows: [{ kind: 'consecutive', calls: 1, failures: 2 }] },
    { version: 1, state: 'closed', openRemainingMs: 0, openMs: 1, windows: {} },
  ])('what it did not make is refused: %j', (snapshot) => {
    const { breaker } = made()
    expect(thrownBy(() => breaker.restore(snapshot as never)).code).toBe('INVALID_OPTIONS')
    expect(breaker.state).toBe('closed')
  })
})

test('its numbers are in the registry, its changes on the channel', async () => {
  const { breaker } = made({ name: 'on the record' })
  const seen: unknown[] = []
  const listener = (message: unknown) => void seen.push(message)
  diagnostics.policy.subscribe(listener)
  await trip(breaker)
  diagnostics.policy.unsubscribe(listener)
  expect(seen).toContainEqual({ policy: 'circuitBreaker', name: 'on the record', event: 'opened', openMs: 1_000 })
  const entry = metrics().find(({ name }) => name === 'on the record')
  expect(entry).toMatchObject({ policy: 'circuitBreaker', stats: { state: 'open', failed: 2, opened: 1 } })
  expect(await policies(breaker).tryRun(fine)).toMatchObject({ ok: false })
  await settled()
})
