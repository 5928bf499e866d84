// The hazards that other libraries of this kind have: each a call that somebody really made, and what must not come of it, in the policy
// that it was made to. hazards/ has them for every other policy, and around others; H is beside the windows, in circuit-breaker-abilities.
import { describe, expect, test } from 'vitest'
import { createContext } from '../../src/core/create-context.ts'
import type { Context } from '../../src/index.ts'
import { bulkhead, circuitBreaker, consecutive, policies, retry, timeout, timeWindow } from '../../src/index.ts'
import { testClock } from '../../src/testing/test-clock.ts'
import { boom, codeOf, countedSignal, type Deferred, deferred, errorOf, settled, untilAborted, waitersOn } from './support.ts'

/** A breaker that has just tripped, and the call from before the trip that is still out. */
async function tripped(trips = consecutive(2), probes = 1) {
  const clock = testClock()
  const breaker = circuitBreaker({ clock, trips, openMs: 1_000, probes, probeTimeoutMs: 500 })
  const early = deferred()
  const earlyCall = breaker.tryRun(() => early.promise)
  await breaker.tryRun(boom)
  await breaker.tryRun(boom)
  expect(breaker.state).toBe('open')
  return { clock, breaker, early, earlyCall }
}

describe('hazard A: a result from before the trip does not decide half-open', () => {
  test.each(['resolve', 'reject'] as const)('nor while a probe is out (%s)', async (how) => {
    const { clock, breaker, early, earlyCall } = await tripped()
    await clock.advance(1_000)
    const probe = deferred()
    const probeCall = breaker.tryRun(() => probe.promise)
    early[how]('early')
    await earlyCall
    expect(breaker.state).toBe('half-open')
    expect(codeOf(await breaker.tryRun(boom))).toBe('BREAKER_OPEN')
    probe.resolve('probe')
    await probeCall
    expect(breaker.state).toBe('closed')
  })

  test('nor is it counted by the closed state that follows', async () => {
    const { clock, breaker, early, earlyCall } = await tripped()
    await clock.advance(1_000)
    await breaker.run(() => 'recovered')
    await breaker.tryRun(boom)
    early.reject(new Error('of another age'))
    await earlyCall
    expect(breaker.state).toBe('closed')
    await breaker.tryRun(boom)
    expect(breaker.state).toBe('open')
  })

  test('nor does a probe of the half-open period before this one', async () => {
    const { clock, breaker } = await tripped(consecutive(2), 2)
    await clock.advance(1_000)
    const old = deferred()
    const oldCall = breaker.tryRun(() => old.promise)
    await breaker.tryRun(boom)
    expect(breaker.state).toBe('open')
    await clock.advance(1_000)
    await breaker.run(() => 'one of two')
    old.resolve('late')
    await oldCall
    expect(breaker.state).toBe('half-open')
    await breaker.run(() => 'two of two')
    expect(breaker.state).toBe('closed')
  })

  test('nor does one through a timed window, whose permits keep times', async () => {
    const { clock, breaker, early, earlyCall } = await tripped(timeWindow({ windowMs: 100, minimumCalls: 2, slowCallMs: 50 }))
    await clock.advance(1_000)
    const probe = deferred()
    const probeCall = breaker.tryRun(() => probe.promise)
    early.reject(new Error('late and slow'))
    await earlyCall
    expect(breaker.state).toBe('half-open')
    probe.resolve(1)
    await probeCall
    expect(breaker.state).toBe('closed')
  })
})

describe('hazard B: a hung probe does not block everyone', () => {
  test('after its deadline it counts as failed, and the next period has a probe of its own', async () => {
    const { clock, breaker } = await tripped()
    await clock.advance(1_000)
    const hung = deferred()
    const hungCall = breaker.tryRun(() => hung.promise)
    await clock.advance(499)
    expect(errorOf(await breaker.tryRun(boom)).message).toContain('half-open')
    await clock.advance(1)
    const refused = errorOf(await breaker.tryRun(boom))
    expect(refused).toMatchObject({ code: 'BREAKER_OPEN', retryAfterMs: 1_000 })
    expect(breaker.state).toBe('open')
    await clock.advance(1_000)
    expect(await breaker.run(() => 'through')).toBe('through')
    hung.reject(new Error('at last'))
    await hungCall
    expect(breaker.state).toBe('closed')
  })

  test('one that ends after its deadline has failed, also where no other call came by to notice', async () => {
    const { clock, breaker } = await tripped()
    await clock.advance(1_000)
    const hung = deferred()
    const call = breaker.run(() => hung.promise)
    await clock.advance(500)
    hung.resolve('late')
    expect(await call).toBe('late')
    expect(breaker.state).toBe('open')
  })
})

describe('hazard C: a waiter that was accepted is neither rejected nor overtaken', () => {
  test('a newcomer in the very turn in which a slot is freed queues behind the waiter', async () => {
    const slots = bulkhead({ concurrent: 1, queued: 2 })
    const order: string[] = []
    const first = deferred()
    const calls = [slots.run(() => first.promise), slots.run(() => void order.push('waiter'))]
    const release = first.promise.then(() => calls.push(slots.run(() => void order.push('newcomer'))))
    first.resolve(1)
    await release
    await Promise.all(calls)
    expect(order).toEqual(['waiter', 'newcomer'])
  })

  test('with a queue that is full again at once, the accepted ones still run', async () => {
    const slots = bulkhead({ concurrent: 1, queued: 3 })
    const first = deferred()
    const accepted = [slots.tryRun(() => first.promise), ...Array.from({ length: 3 }, () => slots.tryRun(() => 'ran'))]
    expect(codeOf(await slots.tryRun(() => 'never'))).toBe('BULKHEAD_FULL')
    first.resolve('first')
    expect((await Promise.all(accepted)).map(codeOf)).toEqual(['ok', 'ok', 'ok', 'ok'])
  })
})

test('hazard D: an aborted waiter learns of it at once, not when its turn comes', async () => {
  const slots = bulkhead({ concurrent: 1, queued: 10 })
  const never = deferred()
  const running = slots.tryRun(() => never.promise)
  const { signal, abort } = countedSignal()
  const waiter = slots.tryRun(boom, { signal })
  expect(slots.waiting).toBe(1)
  abort()
  expect(slots.waiting).toBe(0)
  expect(errorOf(await waiter)).toMatchObject({ code: 'ABORTED', retry: 'never' })
  never.resolve(1)
  await running
  expect([slots.running, slots.waiting, slots.abandoned]).toEqual([0, 0, 0])
})

describe('hazard E: capacity 2 with a timeout never reaches a real concurrency of 3', () => {
  test.each(['outside', 'inside'])('with the timeout %s', async (where) => {
    const clock = testClock()
    const slots = bulkhead({ concurrent: 2, queued: 100 })
    const late = timeout({ timeoutMs: 10, clock })
    const guard = where === 'outside' ? policies(late, slots) : policies(slots, late)
    let running = 0
    let highest = 0
    const works: Deferred[] = []
    const calls = Array.from({ length: 16 }, () =>
      guard.tryRun(async () => {
        running += 1
        highest = Math.max(highest, running)
        const work = deferred()
        works.push(work)
        await work.promise
        running -= 1
      }),
    )
    for (let round = 0; round < 20; round++) {
      await clock.advance(10)
      expect(running).toBeLessThanOrEqual(2)
      expect(running).toBe(slots.running)
      works.shift()?.resolve(undefined)
    }
    for (const work of works) work.resolve(undefined)
    await Promise.all(calls)
    await settled()
    expect(highest).toBe(2)
    expect([running, slots.running, slots.waiting, slots.abandoned, clock.pending]).toEqual([0, 0, 0, 0, 0])
  })
})

describe('hazard F: a probe that its caller cancelled decides nothing', () => {
  const endings = {
    'with the reason of the abort': untilAborted,
    'with an error of its own': ({ signal }: { readonly signal: AbortSignal }) =>
      untilAborted({ signal }).catch((cause) => Promise.reject(new Error('socket hung up', { cause }))),
    'with half a result': ({ signal }: { readonly signal: AbortSignal }) => untilAborted({ signal }).catch(() => 'half'),
  }
  const shapes = ['alone', 'around a timeout', 'inside a timeout', 'beside a bulkhead'] as const

  for (const [ending, work] of Object.entries(endings))
    test.each(shapes)(`whose work ends ${ending}: %s`, async (shape) => {
      const { clock, breaker } = await tripped()
      await clock.advance(1_000)
      const late = timeout({ timeoutMs: 400, clock })
      const guard =
        shape === 'alone'
          ? breaker
          : policies(...(shape === 'around a timeout' ? [breaker, late] : [shape === 'inside a timeout' ? late : bulkhead(), breaker]))
      for (let n = 0; n < 3; n++) {
        const { signal, abort } = countedSignal()
        const probe = guard.tryRun(work, { signal })
        abort(new Error('the user went elsewhere'))
        expect(codeOf(await probe)).toBe('ABORTED')
        await settled()
        expect(breaker.state).toBe('half-open')
      }
      expect(await guard.run(() => 'the next one probes')).toBe('the next one probes')
      expect(breaker.state).toBe('closed')
    })

  test('nor does a closed breaker count calls whose callers cancelled', async () => {
    const breaker = circuitBreaker({ clock: testClock(), trips: consecutive(1) })
    const { signal, abort } = countedSignal()
    const calls = Array.from({ length: 5 }, () => breaker.tryRun(untilAborted, { signal }))
    abort()
    await Promise.all(calls)
    await settled()
    expect(breaker.state).toBe('closed')
  })
})

describe('hazard G: 999 waiters are not let go at once on recovery', () => {
  test.each([1, 3])('while it is not yet known whether it works again, exactly %i of them run', async (probes) => {
    const { clock, breaker } = await tripped(consecutive(2), probes)
    const patient = policies(retry({ delayMs: 100, elapsedMaxMs: 60_000, clock }), breaker)
    const works: Deferred[] = []
    const task = () => {
      const work = deferred()
      works.push(work)
      return work.promise
    }
    const waiters = Array.from({ length: 999 }, () => patient.tryRun(task))
    await clock.advance(999)
    expect(works).toHaveLength(0)
    await clock.advance(1)
    expect(works).toHaveLength(probes)
    await clock.advance(400)
    expect(works).toHaveLength(probes)
    for (const work of works) work.resolve('works again')
    await settled()
    expect(breaker.state).toBe('closed')
    await clock.advance(1_000)
    for (const work of works) work.resolve('ran')
    expect((await Promise.all(waiters)).every(({ ok }) => ok)).toBe(true)
    expect(works).toHaveLength(999)
    expect(clock.pending).toBe(0)
  })

  test('and behind a bulkhead they never exceed it, however many were waiting', async () => {
    const { clock, breaker } = await tripped()
    const slots = bulkhead({ concurrent: 10, queued: 999 })
    const patient = policies(retry({ elapsedMaxMs: 60_000, clock }), breaker, slots)
    const works: Deferred[] = []
    const waiters = Array.from({ length: 999 }, () =>
      patient.tryRun(() => {
        const work = deferred()
        works.push(work)
        return work.promise
      }),
    )
    await clock.advance(1_000)
    works[0]?.resolve('works again')
    await clock.advance(100)
    for (let done = 1; done < 999; done++) {
      expect(works.length - done).toBe(Math.min(10, 999 - done))
      expect(slots.running).toBe(works.length - done)
      works[done]?.resolve(done)
      await settled()
    }
    expect((await Promise.all(waiters)).every(({ ok }) => ok)).toBe(true)
    expect([slots.running, clock.pending]).toEqual([0, 0])
  })
})

test('hazard J: one timeout does not abort healthy neighbours', async () => {
  const clock = testClock()
  const late = timeout({ timeoutMs: 100, clock })
  const signals: AbortSignal[] = []
  const works = [deferred(), deferred(), deferred()]
  const calls = []
  for (const work of works) {
    calls.push(
      late.tryRun(({ signal }) => {
        signals.push(signal)
        return work.promise
      }),
    )
    await clock.advance(40)
  }
  expect(signals.map((signal) => signal.aborted)).toEqual([true, false, false])
  works[1]?.resolve('in time')
  works[2]?.resolve('in time too')
  expect((await Promise.all(calls)).map(codeOf)).toEqual(['TIMEOUT', 'ok', 'ok'])
  expect(signals.map((signal) => signal.aborted)).toEqual([true, false, false])
  await settled()
  expect(clock.pending).toBe(0)
})

describe('hazard K: an abort during back-off ends it and calls no more', () => {
  test.each(['alone', 'around a timeout'])('%s', async (shape) => {
    const clock = testClock()
    const again = retry({ attempts: 5, delayMs: 60_000, delayMaxMs: 60_000, clock })
    const guard = shape === 'alone' ? again : policies(again, timeout({ timeoutMs: 1_000, clock }))
    const { signal, abort, listeners } = countedSignal()
    let calls = 0
    const call = guard.tryRun(
      () => {
        calls += 1
        boom()
      },
      { signal },
    )
    await clock.advance(10)
    expect(calls).toBe(1)
    abort('enough')
    expect(errorOf(await call)).toMatchObject({ code: 'ABORTED', effect: 'unknown', cause: 'enough' })
    await settled()
    expect(clock.pending).toBe(0)
    expect(listeners()).toBe(0)
    await clock.advance(600_000)
    expect(calls).toBe(1)
  })
})

test('hazard L: a call at the very end of the open time probes, however exactly a timer fires', async () => {
  const clock = testClock()
  const breaker = circuitBreaker({ clock, trips: consecutive(1), openMs: 1_000 })
  await breaker.tryRun(boom)
  await clock.advance(999.75)
  const early = errorOf(await breaker.tryRun(boom))
  expect(early.retryAfterMs).toBe(0.25)
  expect(breaker.state).toBe('open')
  await clock.advance(0.25)
  expect(breaker.state).toBe('half-open')
  expect(await breaker.run(() => 'probe')).toBe('probe')
})

describe('hazard M: listeners do not pile up on a long-lived parent signal', () => {
  const clock = testClock()
  const guards = {
    'a timeout': timeout({ timeoutMs: 1_000, clock }),
    'a bulkhead': bulkhead({ concurrent: 100, queued: 1_000 }),
    'a retry': retry({ attempts: 2, delayMs: 0, clock }),
    'all four': policies(
      retry({ clock }),
      circuitBreaker({ clock }),
      bulkhead({ concurrent: 1_000 }),
      timeout({ timeoutMs: 1_000, clock }),
    ),
  }
  test.each(Object.entries(guards))('of %s: at most one, and none afterwards', async (_, guard) => {
    const { signal, listeners } = countedSignal()
    let highest = 0
    for (let round = 0; round < 20; round++) {
      const calls = Array.from({ length: 500 }, () =>
        guard.tryRun(
          async (ctx) => {
            void ctx.signal
            highest = Math.max(highest, listeners())
          },
          { signal },
        ),
      )
      await Promise.all(calls)
    }
    await settled()
    expect(highest).toBe(1)
    expect(listeners()).toBe(0)
    expect(clock.pending).toBe(0)
  })

  test('nor on one context that many calls share', async () => {
    const { signal, listeners } = countedSignal()
    const context = createContext({ signal, clock })
    await Promise.all(Array.from({ length: 1_000 }, () => guards['all four'].tryRun(async (ctx) => void ctx.signal, { context })))
    await settled()
    expect(listeners()).toBe(0)
  })

  test('nor by attempts that failed before the last one', async () => {
    const { signal, listeners } = countedSignal()
    const context = createContext({ signal, clock })
    let n = 0
    const task = async (ctx: Context) => {
      void ctx.signal
      if (n++ % 2 === 0) throw new Error('the first attempt')
    }
    const again = guards['a retry']
    // The first attempt runs under the context itself, which keeps its own signal; each later one has a context that has to end.
    void context.signal
    const before = listeners()
    for (let calls = 0; calls < 100; calls++) await again.run(task, { context })
    await settled()
    expect(listeners()).toBe(before)
    expect(waitersOn(context)).toBe(0)
  })
})
