// Hazards C, D, E and G, for everything that lets calls wait.
import { describe, expect, test } from 'vitest'
import { adaptiveBulkhead, aimd, bulkhead, policies, rateLimit, slidingWindow, timeout } from '../../../src/index.ts'
import { type TestClock, testClock } from '../../../src/testing/test-clock.ts'
import { codeOf, countedSignal, type Deferred, deferred, errorOf, settled } from '../support.ts'

/** One call at a time; the rate limit: one each 10 ms. */
const waits = {
  bulkhead: (clock: TestClock, queued: number) => bulkhead({ concurrent: 1, queued, clock }),
  adaptiveBulkhead: (clock: TestClock, queued: number) => adaptiveBulkhead({ concurrentMax: 1, queued, clock }),
  rateLimit: (clock: TestClock, queued: number) => rateLimit({ limit: slidingWindow({ calls: 1, windowMs: 10 }), queued, clock }),
}
const cases = Object.entries(waits)
const waitingIn = (policy: { stats(): { readonly waiting: number } }): number => policy.stats().waiting

describe('hazard C: a waiter that was accepted is neither rejected nor overtaken', () => {
  test.each(cases)('by a newcomer in the turn in which its turn comes (%s)', async (_, make) => {
    const clock = testClock()
    const guard = make(clock, 2)
    const order: string[] = []
    const first = deferred()
    // Both at once, and this before that: a slot is freed for a newcomer to see, and the time of the next token comes.
    clock.setTimer(() => first.resolve(1), 10)
    const calls: Promise<unknown>[] = [guard.run(() => first.promise), guard.run(() => void order.push('waiter'))]
    const newcomer = first.promise.then(() => calls.push(guard.run(() => void order.push('newcomer'))))
    await clock.advance(10)
    await newcomer
    await clock.advance(30)
    await Promise.all(calls)
    expect(order).toEqual(['waiter', 'newcomer'])
    expect(clock.pending).toBe(0)
  })

  test.each(cases)('by a queue that was made shorter (%s)', async (_, make) => {
    const clock = testClock()
    const guard = make(clock, 3)
    const first = deferred()
    const accepted = [guard.tryRun(() => first.promise), ...Array.from({ length: 3 }, () => guard.tryRun(() => 'ran'))]
    guard.reconfigure({ queued: 0 })
    const refused = codeOf(await guard.tryRun(() => 'never'))
    expect(['BULKHEAD_FULL', 'RATE_LIMITED']).toContain(refused)
    first.resolve('first')
    await clock.advance(100)
    expect((await Promise.all(accepted)).map(codeOf)).toEqual(['ok', 'ok', 'ok', 'ok'])
  })
})

describe('hazard D: an aborted waiter learns of it at once', () => {
  test.each(cases)('and leaves its place to others (%s)', async (_, make) => {
    const clock = testClock()
    const guard = make(clock, 1)
    const first = deferred()
    const running = guard.run(() => first.promise)
    const { signal, abort } = countedSignal()
    let ran = false
    const aborted = guard.tryRun(
      () => {
        ran = true
      },
      { signal },
    )
    expect(waitingIn(guard)).toBe(1)
    abort('gone')
    expect(waitingIn(guard)).toBe(0)
    expect(errorOf(await aborted)).toMatchObject({ code: 'ABORTED', effect: 'none', retry: 'never' })
    const next = guard.tryRun(() => 'took its place')
    first.resolve(1)
    await clock.advance(100)
    expect([(await next).ok, ran]).toEqual([true, false])
    await running
    expect(clock.pending).toBe(0)
  })

  test.each(cases)('in no more time for 10,000 of them than they take to join (%s)', async (_, make) => {
    const clock = testClock()
    const guard = make(clock, 10_000)
    const first = deferred()
    const running = guard.run(() => first.promise)
    const { signal, abort, listeners } = countedSignal()
    const waiters = Array.from({ length: 10_000 }, () => guard.tryRun(() => 'never', { signal }))
    expect([waitingIn(guard), listeners()]).toEqual([10_000, 1])
    abort()
    expect(waitingIn(guard)).toBe(0)
    expect((await Promise.all(waiters)).every((outcome) => codeOf(outcome) === 'ABORTED')).toBe(true)
    first.resolve(1)
    await running
    await settled()
    expect([listeners(), clock.pending]).toEqual([0, 0])
  })
})

describe('hazard E: a limit of 2 with a timeout never reaches a real concurrency of 3', () => {
  test.each(['outside', 'inside'])('in an adaptive bulkhead, with the timeout %s', async (where) => {
    const clock = testClock()
    const slots = adaptiveBulkhead({
      algorithm: aimd(),
      concurrentInitial: 2,
      concurrentMax: 2,
      queued: 100,
      windowMs: 20,
      windowCallsMin: 1,
      clock,
    })
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

test('hazard G: an adaptive bulkhead that was cut in an outage lets 999 waiters go no faster than it learns', async () => {
  const clock = testClock()
  const slots = adaptiveBulkhead({
    algorithm: aimd({ decrease: 0.1 }),
    concurrentInitial: 50,
    queued: 999,
    windowMs: 10,
    windowCallsMin: 5,
    clock,
  })
  const failing = Array.from({ length: 50 }, () => slots.tryRun(() => clockedFailure(clock)))
  await clock.advance(20)
  await Promise.all(failing)
  expect(slots.limit).toBe(5)
  const works: Deferred[] = []
  const waiters = Array.from({ length: 999 }, () => {
    const work = deferred()
    return slots.tryRun(() => {
      works.push(work)
      return work.promise
    })
  })
  let done = 0
  while (done < 999) {
    const running = works.length - done
    expect(running).toBe(Math.min(slots.limit, 999 - done))
    // From one window to the next the limit grows by one.
    expect(slots.limit).toBeLessThanOrEqual(6 + done / 5)
    await clock.advance(5)
    for (const until = works.length; done < until; done++) works[done]?.resolve(done)
    await settled()
  }
  expect((await Promise.all(waiters)).every(({ ok }) => ok)).toBe(true)
  expect([slots.running, clock.pending]).toEqual([0, 0])
})

const clockedFailure = (clock: TestClock): Promise<never> =>
  new Promise((_, reject) => void clock.setTimer(() => reject(new Error('out')), 20))
