import { describe, expect, test, vi } from 'vitest'
import type { Clock } from '../../src/core/clock.ts'
import { createContext } from '../../src/core/create-context.ts'
import { refusal } from '../../src/core/errors.ts'
import type { Permit } from '../../src/core/guard.ts'
import { policies } from '../../src/core/policy.ts'
import { bulkhead } from '../../src/resilience/bulkhead.ts'
import { retry } from '../../src/resilience/retry.ts'
import { timeout } from '../../src/resilience/timeout.ts'
import { testClock } from '../../src/testing/test-clock.ts'
import { type Answer, never, probe, seen } from './probes.ts'
import { countedSignal, deferred, inside, refusedBy, settled, virtualTime } from './support.ts'

virtualTime()

const full = refusal('BULKHEAD_FULL', 'full')
const late = (clock: Clock, timeoutMs = 50) => timeout({ timeoutMs, clock })

describe('a caller who has given up', () => {
  const gone = () => createContext({ signal: AbortSignal.abort('gone') })

  test.each<[string, (permit: Permit) => Answer, string[]]>([
    ['has admitted', (permit) => permit, ['a leaves ABORTED', 'a releases']],
    ['lets wait', async (permit) => permit, ['a leaves ABORTED', 'a releases']],
    ['refuses', () => full, []],
    ['refuses after a while', async () => full, []],
  ])('before a handler is called begins nothing, where the guard outside the timeout %s', async (_, enter, events) => {
    const clock = testClock()
    const work = vi.fn(async () => 1)
    const handler = policies(probe('a', enter), late(clock))(work)
    expect(await refusedBy(handler(1, gone()))).toMatchObject({ effect: 'none' })
    await settled()
    expect([seen, work.mock.calls.length, clock.pending]).toEqual([events, 0, 0])
  })

  test('before a handler is called is turned away by a timeout without asking anybody', async () => {
    const clock = testClock()
    const work = vi.fn(async () => 1)
    expect(await refusedBy(late(clock)(work)(1, gone()))).toMatchObject({ code: 'ABORTED', effect: 'none', cause: 'gone' })
    expect(await refusedBy(policies(retry({ clock }), late(clock))(work)(1, gone()))).toMatchObject({ code: 'ABORTED', effect: 'none' })
    expect([work.mock.calls.length, clock.pending]).toEqual([0, 0])
  })

  test.each(['outside', 'inside'])('while a guard %s the timeout is asked begins nothing', async (where) => {
    const clock = testClock()
    const counted = countedSignal()
    const aborts = probe('a', (permit) => {
      counted.abort('gone')
      return permit
    })
    const work = vi.fn(async () => 1)
    const whole = where === 'outside' ? policies(probe('o'), aborts, late(clock)) : policies(probe('o'), late(clock), aborts)
    expect(await whole.tryRun(work, { signal: counted.signal })).toMatchObject({ ok: false, effect: 'none', error: { code: 'ABORTED' } })
    await settled()
    expect([work.mock.calls.length, clock.pending, counted.listeners]).toEqual([0, 0, 0])
    expect(seen.toSorted()).toEqual(['a leaves ABORTED', 'a releases', 'o leaves ABORTED', 'o releases'])
  })

  test('in the moment between admission and the work is answered, and the permit goes back', async () => {
    for (const guards of [1, 2]) {
      seen.length = 0
      const counted = countedSignal()
      const gate = deferred<void>()
      const waits = probe('a', async (permit) => {
        await gate.promise
        return permit
      })
      const work = vi.fn()
      const whole = guards === 1 ? waits : policies(waits, probe('b'))
      const answer = refusedBy(whole.run(work, { signal: counted.signal }))
      gate.resolve()
      await Promise.resolve()
      counted.abort('gone')
      expect(await answer).toMatchObject({ code: 'ABORTED', effect: 'none' })
      await settled()
      expect([work.mock.calls.length, seen]).toEqual([0, ['a leaves ABORTED', 'a releases']])
    }
  })

  test('while a deadline passes between two looks at the clock begins nothing', async () => {
    for (let timeoutMs = 1; timeoutMs < 30; timeoutMs++) {
      seen.length = 0
      let nowMs = 0
      const clock: Clock = { nowMs: () => nowMs++, epochMs: () => 0, setTimer: () => ({ clear: () => {} }) }
      const work = vi.fn(async () => 1)
      const context = createContext({ timeoutMs, clock })
      const handler = policies(probe('a', undefined, { clock }), timeout({ timeoutMs: 1_000, clock }))(work)
      const outcome = await handler(1, context).then(
        () => 'ok',
        (error) => error.effect,
      )
      expect(outcome === 'none' ? 0 : 1).toBe(work.mock.calls.length)
      expect(seen.filter((each) => each.includes('leaves'))).toHaveLength(1)
      expect(seen.filter((each) => each.includes('releases'))).toHaveLength(1)
    }
  })
})

describe('a timeout', () => {
  test('still answers its caller after somebody inside has stopped waiting', async () => {
    const clock = testClock()
    const counted = countedSignal()
    const whole = late(clock)
    const answer = refusedBy(
      whole.run(
        async (ctx) => {
          await bulkhead().run(async () => 1, { context: ctx })
          return never()
        },
        { signal: counted.signal },
      ),
    )
    await settled()
    expect(counted.listeners).toBe(1)
    counted.abort('gone')
    expect(await answer).toMatchObject({ code: 'ABORTED', effect: 'unknown', cause: 'gone' })
  })

  test('answers at its time, aborts the work, and keeps the permits until the work has ended', async () => {
    const clock = testClock()
    const work = deferred()
    let signal: AbortSignal | undefined
    const answer = refusedBy(
      policies(probe('o'), late(clock), probe('i')).run((ctx) => {
        signal = ctx.signal
        return work.promise
      }),
    )
    await clock.advance(49.9)
    expect([seen, signal?.aborted]).toEqual([[], false])
    await clock.advance(0.1)
    expect(await answer).toMatchObject({ code: 'TIMEOUT', effect: 'unknown', retry: 'later', message: 'timeout: no answer within 50 ms' })
    expect([seen, signal?.aborted, signal?.reason === (await answer)]).toEqual([['o leaves TIMEOUT'], true, true])
    work.resolve(1)
    await settled()
    expect(seen).toEqual(['o leaves TIMEOUT', 'i leaves ok', 'i releases', 'o releases'])
  })

  test('says that nothing happened while its call still waited inside', async () => {
    const clock = testClock()
    const slots = bulkhead({ concurrent: 1, queued: 1 })
    void slots.run(never)
    const answer = refusedBy(policies(late(clock), slots).run(never))
    await clock.advance(50)
    expect(await answer).toMatchObject({ code: 'TIMEOUT', effect: 'none' })
    expect(slots.waiting).toBe(0)
  })

  test('in two, the tighter one answers, and the other is told', async () => {
    for (const [outerMs, innerMs] of [
      [50, 80],
      [80, 50],
    ] as const) {
      const clock = testClock()
      const set = vi.spyOn(clock, 'setTimer')
      const whole = policies(timeout({ name: 'outer', timeoutMs: outerMs, clock }), timeout({ name: 'inner', timeoutMs: innerMs, clock }))
      const answer = refusedBy(whole.run(never))
      // Whoever inherits a tighter deadline arms nothing.
      expect(set).toHaveBeenCalledTimes(outerMs < innerMs ? 1 : 2)
      await clock.advance(50)
      expect((await answer).message).toBe(`${outerMs < innerMs ? 'outer' : 'inner'}: no answer within 50 ms`)
      await clock.advance(100)
      await settled()
      expect(clock.pending).toBe(0)
    }
  })

  test('under a deadline that has passed asks nobody further in', async () => {
    const clock = testClock()
    const whole = policies(probe('o'), late(clock), probe('i'))
    const context = inside(createContext({ clock }))
    context.limitMs = clock.nowMs()
    expect(await refusedBy(whole(async () => 1)(1, context))).toMatchObject({ code: 'DEADLINE', effect: 'none' })
    expect(seen).toEqual(['o leaves DEADLINE', 'o releases'])
  })

  test('gives back its timer at the end of the turn, one for a thousand calls', async () => {
    const clock = testClock()
    const set = vi.spyOn(clock, 'setTimer')
    const whole = late(clock)
    await Promise.all(Array.from({ length: 1_000 }, () => whole.run(async () => 1)))
    expect(set).toHaveBeenCalledOnce()
    await settled()
    expect(clock.pending).toBe(0)
  })

  test('whose caller gave up gives back its timer although the work goes on', async () => {
    const clock = testClock()
    const counted = countedSignal()
    const answer = refusedBy(late(clock).run(never, { signal: counted.signal }))
    counted.abort('gone')
    expect(await answer).toMatchObject({ code: 'ABORTED', effect: 'unknown' })
    await settled()
    expect(clock.pending).toBe(0)
  })

  test('does not disturb another call of its own', async () => {
    const clock = testClock()
    const whole = late(clock)
    const first = refusedBy(whole.run(never))
    await clock.advance(30)
    const second = whole.run(() => new Promise((resolve) => void clock.setTimer(() => resolve('fine'), 40)))
    await clock.advance(40)
    expect([(await first).code, await second]).toEqual(['TIMEOUT', 'fine'])
  })
})
