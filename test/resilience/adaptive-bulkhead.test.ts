import { describe, expect, test } from 'vitest'
import { diagnostics } from '../../src/core/diagnostics.ts'
import {
  type AdaptiveBulkheadOptions,
  adaptiveBulkhead,
  aimd,
  circuitBreaker,
  consecutive,
  declined,
  gradient2,
  httpFailures,
  metrics,
  policies,
  timeout,
} from '../../src/index.ts'
import { testClock } from '../../src/testing/test-clock.ts'
import { boom, codeOf, countedSignal, deferred, errorOf, settled, thrownBy, untilAborted } from './support.ts'

function made(options: AdaptiveBulkheadOptions = {}) {
  const clock = testClock()
  const slots = adaptiveBulkhead({ algorithm: aimd(), concurrentInitial: 4, windowMs: 100, windowCallsMin: 4, clock, ...options })
  const changes: { from: number; to: number; why: string }[] = []
  slots.on('limitChanged', ({ from, to, why }) => changes.push({ from, to, why }))
  /** Calls at once, each of which takes so long. */
  const together = async (count: number, tookMs: number, end: () => unknown = () => 'ok'): Promise<void> => {
    const work = deferred()
    const calls = Array.from({ length: count }, () => slots.tryRun(() => work.promise.then(end)))
    await clock.advance(tookMs)
    work.resolve(undefined)
    await Promise.all(calls)
  }
  return { clock, slots, changes, together }
}

describe('the limit moves', () => {
  test('when both the time and the calls of a window are enough, and not before', async () => {
    const { clock, slots, together } = made()
    await together(4, 40)
    expect(slots.limit).toBe(4)
    await clock.advance(60)
    expect(slots.limit).toBe(4)
    await together(1, 0)
    expect(slots.limit).toBe(5)
    await clock.advance(1_000)
    await together(3, 10)
    expect(slots.limit).toBe(5)
    await together(1, 10)
    expect(slots.limit).toBe(6)
  })

  test('not while the mean latency is more than half of the window', async () => {
    const { clock, slots, together } = made()
    await together(4, 150)
    expect(slots.limit).toBe(4)
    await clock.advance(149)
    await together(1, 0)
    expect(slots.limit).toBe(5)
  })

  test('up only when half of it was in use', async () => {
    const { slots, changes, together } = made({ concurrentInitial: 9 })
    for (let n = 0; n < 12; n++) await together(3, 30)
    expect(changes).toEqual([])
    for (let n = 0; n < 3; n++) await together(5, 40)
    expect(slots.limit).toBe(10)
  })

  test('within its range', async () => {
    const { slots, together } = made({ concurrentMin: 3, concurrentMax: 5, algorithm: aimd({ decrease: 0.1 }) })
    for (let n = 0; n < 5; n++) await together(3, 100)
    for (let n = 0; n < 5; n++) await together(3, 100)
    expect(slots.limit).toBe(5)
    for (let n = 0; n < 4; n++) await together(3, 100, boom)
    expect(slots.limit).toBe(3)
  })

  test('once for one overload, however many calls of before it are dropped later', async () => {
    const { clock, slots, changes } = made({ concurrentInitial: 20, algorithm: aimd({ decrease: 0.5 }) })
    const works = Array.from({ length: 16 }, () => deferred())
    const calls = works.map(({ promise }) => slots.tryRun(() => promise))
    for (const [at, work] of works.entries()) {
      if (at % 4 === 0) await clock.advance(100)
      work.reject(new Error('overloaded'))
      await settled()
    }
    await Promise.all(calls)
    expect(changes).toEqual([{ from: 20, to: 10, why: 'drops' }])
  })

  test('not for as many drops as dropMaxShare allows', async () => {
    const { clock, slots, together } = made({ windowCallsMin: 10, concurrentInitial: 10, dropMaxShare: 0.1 })
    await clock.advance(60)
    let call = 0
    const end = (): unknown => (call++ === 0 ? boom() : 'ok')
    await together(10, 40, end)
    expect(slots.limit).toBe(11)
    expect(slots.stats()).toMatchObject({ samples: 9, dropped: 1 })
  })

  test('also where gradient2 looks for it: drops cut it', async () => {
    const { slots, together } = made({ algorithm: gradient2({ decrease: 0.5 }) })
    await together(4, 100, boom)
    expect(slots.limit).toBe(2)
  })
})

describe('what counts', () => {
  test('refusals of guards inside, aborts and a business no are neither samples nor drops', async () => {
    const { clock, slots } = made({ windowCallsMin: 1, windowMs: 1 })
    const breaker = circuitBreaker({ trips: consecutive(1), clock })
    await breaker.tryRun(boom)
    await clock.advance(10)
    expect(codeOf(await policies(slots, breaker).tryRun(() => 1))).toBe('BREAKER_OPEN')
    const { signal, abort } = countedSignal()
    const call = slots.tryRun(untilAborted, { signal })
    await clock.advance(500)
    abort()
    expect((await call).ok).toBe(false)
    await slots.tryRun(() => {
      throw declined('out of stock')
    })
    expect(slots.stats()).toMatchObject({ samples: 0, dropped: 0, ignored: 3, latencyMs: 0, concurrent: 4 })
  })

  test.each(['fused', 'in a frame of its own'])('a timeout inside is a drop, once, and its slot stays taken (%s)', async (how) => {
    const { clock, slots } = made({ windowCallsMin: 1, windowMs: 1, concurrentInitial: 10 })
    const late = timeout({ timeoutMs: 20, clock: how === 'fused' ? clock : { ...clock, nowMs: clock.nowMs } })
    const work = deferred()
    const call = policies(slots, late).tryRun(() => work.promise)
    await clock.advance(20)
    expect(codeOf(await call)).toBe('TIMEOUT')
    expect(slots.stats()).toMatchObject({ samples: 0, dropped: 1, running: 1, abandoned: 1, concurrent: 9 })
    work.resolve('at last')
    await settled()
    expect(slots.stats()).toMatchObject({ samples: 0, dropped: 1, running: 0, abandoned: 0 })
  })

  test('under a timeout outside, late work is a sample if it succeeds, and a drop if its signal ended it', async () => {
    const { clock, slots } = made()
    const guard = policies(timeout({ timeoutMs: 20, clock }), slots)
    const work = deferred()
    const calls = [guard.tryRun(() => work.promise), guard.tryRun(untilAborted)]
    await clock.advance(30)
    work.resolve('late')
    await Promise.all(calls)
    await settled()
    expect(slots.stats()).toMatchObject({ samples: 1, dropped: 1, running: 0 })
  })

  test('the time a call waits for its slot is no latency', async () => {
    const { clock, slots, together } = made({ concurrentInitial: 1, windowCallsMin: 2, queued: 1 })
    const first = together(1, 100)
    const second = slots.run(() => new Promise((resolve) => clock.setTimer(() => resolve(1), 20)))
    await first
    await clock.advance(20)
    await second
    await clock.advance(40)
    await together(1, 60)
    expect(slots.stats().latencyMs).toBe(60)
  })

  test('is what a classifier says, and one that throws costs nothing', async () => {
    const { slots, together } = made({ classify: httpFailures })
    await together(1, 10, () => ({ status: 503 }))
    await together(1, 10, () => ({ status: 404 }))
    expect(slots.stats()).toMatchObject({ samples: 1, dropped: 1 })
    slots.reconfigure({
      classify: () => {
        throw new Error('no idea')
      },
    })
    await together(1, 10)
    await together(1, 10, boom)
    expect(slots.stats()).toMatchObject({ samples: 2, dropped: 2, running: 0 })
  })

  test('a clock that steps back is no latency, and stops nothing', async () => {
    const clock = testClock()
    let skewMs = 10_000
    const skewed = { ...clock, nowMs: () => clock.nowMs() + skewMs }
    const slots = adaptiveBulkhead({
      algorithm: aimd(),
      concurrentInitial: 1,
      windowCallsMin: 1,
      windowMs: 10,
      dropMaxShare: 0,
      clock: skewed,
    })
    await clock.advance(10)
    await slots.tryRun(boom)
    await slots.run(() => {
      skewMs = 0
    })
    await clock.advance(10)
    await slots.run(() => 1)
    expect(slots.stats()).toMatchObject({ latencyMs: 0, concurrent: 2 })
  })
})

describe('a probe', () => {
  const probing = async () => {
    const it = made({ algorithm: gradient2(), concurrentInitial: 8 })
    for (let n = 0; n < 3; n++) await it.together(8, 100)
    for (let n = 0; n < 3; n++) await it.together(8, 100)
    expect(it.slots.stats()).toMatchObject({ probing: true, concurrent: 4 })
    return it
  }

  test('learns from the calls that begin in it, and gives the limit back', async () => {
    const { slots, together, clock } = await probing()
    const before = slots.stats().baselineMs
    for (let n = 0; n < 2; n++) await together(4, 50)
    expect(slots.stats()).toMatchObject({ probing: true, baselineMs: before })
    await clock.advance(350)
    await together(1, 50)
    expect(slots.stats().probing).toBe(false)
    expect(slots.stats().baselineMs).toBeLessThan(before)
    expect(slots.stats().baselineMs).toBeGreaterThanOrEqual(50)
  })

  test('that sees no calls is given up', async () => {
    const { slots, together, clock, changes } = await probing()
    await clock.advance(10_000)
    await together(1, 0)
    expect(slots.stats()).toMatchObject({ probing: false, concurrent: 8 })
    expect(changes.at(-1)).toEqual({ from: 4, to: 8, why: 'probe' })
  })

  test('ends with a reconfiguration', async () => {
    const { slots } = await probing()
    slots.reconfigure({ concurrentMax: 6 })
    expect(slots.stats()).toMatchObject({ probing: false, concurrent: 6 })
  })
})

describe('as any bulkhead', () => {
  test('it bounds its queue, and lets a waiter go at once, or after its time', async () => {
    const { clock, slots } = made({ name: 'k', concurrentInitial: 1, queued: 2, queueTimeoutMs: 50 })
    const work = deferred()
    const running = slots.tryRun(() => work.promise)
    const { signal, abort } = countedSignal()
    const aborted = slots.tryRun(boom, { signal })
    const late = slots.tryRun(boom)
    expect(errorOf(await slots.tryRun(boom)).message).toBe('k is full: 1 running, 2 of 2 waiting')
    abort()
    expect(slots.waiting).toBe(1)
    expect(codeOf(await aborted)).toBe('ABORTED')
    await clock.advance(50)
    expect(codeOf(await late)).toBe('QUEUE_TIMEOUT')
    work.resolve(1)
    await running
    expect(slots.stats()).toMatchObject({
      running: 0,
      waiting: 0,
      abandoned: 0,
      refused: 1,
      timedOut: 1,
      gaveUp: 1,
      ignored: 0,
      samples: 1,
    })
    expect(clock.pending).toBe(0)
  })

  test('a limit that grows admits waiters at once, in order; one that falls lets running calls finish', async () => {
    const { slots } = made({ concurrentInitial: 2, queued: 10 })
    const order: number[] = []
    const works = Array.from({ length: 6 }, () => deferred())
    const calls = works.map(({ promise }, n) =>
      slots.run(() => {
        order.push(n)
        return promise
      }),
    )
    expect(order).toEqual([0, 1])
    slots.reconfigure({ concurrentMin: 4 })
    await settled()
    expect(order).toEqual([0, 1, 2, 3])
    slots.reconfigure({ concurrentMin: 1, concurrentMax: 3 })
    expect([slots.limit, slots.running]).toEqual([3, 4])
    works[0]?.resolve(1)
    await settled()
    expect(order).toEqual([0, 1, 2, 3])
    works[1]?.resolve(1)
    await settled()
    expect(order).toEqual([0, 1, 2, 3, 4])
    for (const work of works) work.resolve(1)
    await Promise.all(calls)
    expect([slots.running, slots.waiting]).toEqual([0, 0])
  })

  test('it serves in the order it was told', async () => {
    const { slots } = made({ concurrentInitial: 1, queued: 10, order: { priority: (ctx) => Number(ctx.keys.rank ?? 0) } })
    const order: string[] = []
    const work = deferred()
    const calls = [slots.run(() => work.promise)]
    for (const rank of ['1', '3', '2']) calls.push(slots.run(() => void order.push(rank), { keys: { rank } }))
    work.resolve(1)
    await Promise.all(calls)
    expect(order).toEqual(['3', '2', '1'])
  })
})

test('its numbers are in the registry, its changes on the channel, as those of an adaptive bulkhead', async () => {
  const seen: unknown[] = []
  const hear = (message: unknown): unknown => seen.push(message)
  diagnostics.policy.subscribe(hear)
  const { slots, together } = made({ name: 'adapts' })
  const full = Array.from({ length: 4 }, () => deferred())
  const calls = full.map(({ promise }) => slots.run(() => promise))
  await slots.tryRun(boom)
  for (const work of full) work.resolve(1)
  await Promise.all(calls)
  await together(4, 100)
  diagnostics.policy.unsubscribe(hear)
  expect(seen).toEqual([
    { policy: 'adaptiveBulkhead', event: 'refused', name: 'adapts', running: 4, waiting: 0 },
    { policy: 'adaptiveBulkhead', event: 'limitChanged', name: 'adapts', from: 4, to: 5, why: 'latency', latencyMs: 20 },
  ])
  expect(metrics().find(({ name }) => name === 'adapts')).toEqual({ policy: 'adaptiveBulkhead', name: 'adapts', stats: slots.stats() })
})

describe('options', () => {
  test.each<[object, string, string]>([
    [{ concurrentMin: 5, concurrentMax: 4 }, 'adaptiveBulkhead', 'concurrentMin must be at most concurrentMax (4), got 5'],
    [{ concurrentMin: 201 }, 'adaptiveBulkhead', 'concurrentMin must be at most concurrentMax (200), got 201'],
    [{ concurrentInitial: 201 }, 'adaptiveBulkhead', 'concurrentInitial must be from concurrentMin (1) to concurrentMax (200), got 201'],
    [{ concurrentMin: 5, concurrentInitial: 4 }, 'adaptiveBulkhead', 'concurrentInitial must be from concurrentMin (5)'],
    [{ concurrentMin: 0 }, 'adaptiveBulkhead', 'concurrentMin must be a whole number of at least 1'],
    [{ windowMs: -1 }, 'adaptiveBulkhead', 'windowMs must be a number of at least 1'],
    [{ windowCallsMin: 0 }, 'adaptiveBulkhead', 'windowCallsMin must be a whole number of at least 1'],
    [{ dropMaxShare: 1.2 }, 'adaptiveBulkhead', 'dropMaxShare must be a number from 0 to 1'],
    [{ algorithm: 'vegas' }, 'adaptiveBulkhead', 'algorithm must be gradient2({ … }) or aimd({ … })'],
    [{ queueTimeoutMs: 5 }, 'adaptiveBulkhead', 'queueTimeoutMs must be given beside queued'],
    [{ concurrent: 5 }, 'adaptiveBulkhead', 'unknown option concurrent'],
  ])('%o are refused', (options, owner, message) => {
    const error = thrownBy(() => adaptiveBulkhead(options))
    expect(error).toMatchObject({ code: 'INVALID_OPTIONS', effect: 'none', details: { owner } })
    expect(error.message).toContain(message)
  })

  test.each<[() => unknown, string]>([
    [() => gradient2({ tolerance: 0.9 }), 'tolerance must be a number from 1 to 10'],
    [() => gradient2({ smoothing: 0 }), 'smoothing must be a number above 0, at most 1'],
    [() => gradient2({ probeWindows: 601 }), 'probeWindows must be at most longWindows (600), got 601'],
    [() => gradient2({ longWindows: 10 }), 'probeWindows must be at most longWindows (10), got 60'],
    [() => gradient2({ headroom: 0 }), 'headroom must be a number of at least 1'],
    [() => aimd({ decrease: 1 }), 'decrease must be a number from 0.1 to 0.99'],
    [() => aimd({ latencyMaxMs: 0 }), 'latencyMaxMs must be a number above 0'],
    [() => aimd({ increase: -1 }), 'increase must be a number above 0'],
  ])('an algorithm refuses its own: %s', (make, message) => {
    expect(thrownBy(make)).toMatchObject({ code: 'INVALID_OPTIONS', message: expect.stringContaining(message) })
  })

  test('a reconfiguration that does not fit changes nothing', () => {
    const slots = adaptiveBulkhead({ concurrentMax: 50, queued: 3 })
    for (const changes of [
      { concurrentMin: 51 },
      { concurrentMin: 30, concurrentMax: 20 },
      { concurrentInitial: 5 },
      { queued: -1, concurrentMax: 5 },
    ])
      expect(thrownBy(() => slots.reconfigure(changes as never)).code).toBe('INVALID_OPTIONS')
    expect(slots.stats()).toMatchObject({ concurrent: 20, queued: 3 })
    slots.reconfigure({ concurrentMin: 30, queued: 4 })
    slots.reconfigure({ algorithm: aimd() })
    expect(slots.stats()).toMatchObject({ concurrent: 30, queued: 4 })
  })

  test.each([
    [{}, 20],
    [{ concurrentMax: 5 }, 5],
    [{ concurrentMin: 40 }, 40],
  ])('%o begin with %i', (options, limit) => expect(adaptiveBulkhead(options).limit).toBe(limit))
})
