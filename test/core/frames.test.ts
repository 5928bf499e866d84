import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Clock, defaultClock } from '../../src/core/clock.ts'
import { insertion } from '../../src/core/compose.ts'
import type { Context } from '../../src/core/context.ts'
import { createContext } from '../../src/core/create-context.ts'
import { declined, refusal } from '../../src/core/errors.ts'
import type { Guard, GuardContext, Permit, Refusal } from '../../src/core/guard.ts'
import { guard, guardPolicy } from '../../src/core/guard-policy.ts'
import type { Policy } from '../../src/core/handler.ts'
import { policies, policy } from '../../src/core/policy.ts'
import { bulkhead } from '../../src/resilience/bulkhead.ts'
import { retry } from '../../src/resilience/retry.ts'
import { timeout } from '../../src/resilience/timeout.ts'
import { testClock } from '../../src/testing/test-clock.ts'
import { countedSignal, deferred, inside, refusedBy, settled, virtualTime } from './support.ts'

virtualTime()

let seen: string[] = []
// What stands here is about frames themselves, also where the suite puts an identity around every part.
const former = insertion.wrap
beforeEach(() => {
  seen = []
  insertion.wrap = null
})
afterEach(() => {
  insertion.wrap = former
})

type Answer = Permit | Refusal | Promise<Permit | Refusal>
const permitOf = (name: string, more: Partial<Permit> = {}): Permit => ({
  leave: (ok, result) => void seen.push(`${name} leaves ${ok ? 'ok' : ((result as { code?: string } | null)?.code ?? String(result))}`),
  release: () => void seen.push(`${name} releases`),
  ...more,
})
const probe = (name: string, enter: (permit: Permit, ctx: GuardContext) => Answer = (permit) => permit, more: Partial<Guard> = {}) =>
  guardPolicy({ name, keeps: true, ...more, enter: (ctx) => enter(permitOf(name), ctx) })
const full = refusal('BULKHEAD_FULL', 'full')
const late = (clock: Clock, timeoutMs = 50) => timeout({ timeoutMs, clock })
const never = () => new Promise(() => {})

describe('a refusal', () => {
  test.each([2, 3, 4, 5])('of guard number %i of a frame ends those outside it, innermost first', async (count) => {
    const names = ['a', 'b', 'c', 'd', 'e'].slice(0, count)
    for (const turned of [full, Promise.resolve(full)]) {
      for (const quiet of [true, false]) {
        seen = []
        const whole = policies(...names.map((name, at) => probe(name, at === count - 1 ? () => turned : undefined)))
        const outcome = quiet ? await whole.tryRun(never) : { error: await refusedBy(whole.run(never)), effect: 'none' }
        expect(outcome).toMatchObject({ error: full, effect: 'none' })
        const outside = names.slice(0, -1).toReversed()
        expect(seen).toEqual(outside.flatMap((name) => [`${name} leaves BULKHEAD_FULL`, `${name} releases`]))
      }
    }
  })

  test('makes no context, no promise of its own and no timer where the outermost guard refuses', async () => {
    const clock = testClock()
    const task = vi.fn()
    for (const whole of [
      probe('a', () => full),
      policies(
        probe('a', () => full),
        probe('b'),
      ),
      policies(
        probe('a', () => full),
        late(clock),
      ),
    ]) {
      expect(await whole.tryRun(task)).toEqual({ ok: false, error: full, effect: 'none' })
      expect(await refusedBy(whole.run(task))).toBe(full)
    }
    expect([seen, task.mock.calls.length, clock.pending]).toEqual([[], 0, 0])
  })

  test('of the outermost guard inside a retry is the retry’s to answer', async () => {
    const clock = testClock()
    let refusals = 2
    const whole = policies(
      retry({ clock, attempts: 1, elapsedMaxMs: 1_000, delayMs: 0 }),
      probe('a', (permit) => (refusals-- > 0 ? full : permit)),
      late(clock),
    )
    const answer = whole.run((ctx) => ctx.attempt)
    await clock.advance(100)
    expect(await answer).toBe(1)
    expect(seen).toEqual(['a leaves ok', 'a releases'])
  })
})

describe('a frame', () => {
  test.each([1, 2, 3, 4, 5, 6])('of %i guards enters in order and ends from the inside out, held work and all', async (count) => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f'].slice(0, count)
    const inwards = names.toReversed()
    for (const context of [undefined, createContext()]) {
      seen = []
      const held = deferred()
      const whole = policies(...names.map((name) => probe(name)))
      const task = (ctx: Context) => ctx.hold(held.promise)
      await whole.run(task, context === undefined ? undefined : { context })
      expect(seen).toEqual(inwards.map((name) => `${name} leaves ok`))
      held.resolve(1)
      await settled()
      expect(seen.slice(count)).toEqual(inwards.map((name) => `${name} releases`))
      seen = []
      await expect(whole.run(() => Promise.reject('broken'), context === undefined ? undefined : { context })).rejects.toBe('broken')
      expect(seen).toEqual(inwards.flatMap((name) => [`${name} leaves broken`, `${name} releases`]))
    }
  })

  test('of guards that keep nothing releases at once, whatever is held', async () => {
    for (const count of [1, 2]) {
      seen = []
      await policies(...['a', 'b'].slice(0, count).map((name) => probe(name, undefined, { keeps: false }))).run((ctx) => ctx.hold(never()))
      expect(seen.filter((each) => each.endsWith('releases'))).toHaveLength(count)
    }
  })

  test('hands the input to the work, and one context to each call', async () => {
    const contexts = new Set<Context>()
    for (const whole of [
      probe('a'),
      policies(probe('a'), probe('b')),
      policies(...[1, 2, 3, 4, 5].map(String).map((name) => probe(name))),
    ]) {
      const handler = whole(async (input: string, ctx: Context) => {
        contexts.add(ctx)
        return input
      })
      const context = createContext({ attempt: 4 })
      expect(await Promise.all([handler('x', context), handler('y', context)])).toEqual(['x', 'y'])
    }
    expect(contexts.size).toBe(6)
    expect([...contexts].map((ctx) => ctx.attempt)).toEqual([4, 4, 4, 4, 4, 4])
  })

  test('uses what a permit has bound, only where no caller can give up', async () => {
    const bound = {
      ok: (value: unknown) => `${value} bound`,
      bad: (): never => {
        throw 'bad bound'
      },
    }
    const whole = guardPolicy({ name: 'b', enter: () => permitOf('b', { bound }) })
    expect(await whole.run(() => 1)).toBe('1 bound')
    await expect(whole.run(() => Promise.reject(1))).rejects.toBe('bad bound')
    expect(await whole.run(() => 1, { signal: new AbortController().signal })).toBe(1)
    expect(seen).toEqual(['b leaves ok', 'b releases'])
  })

  test('on its own clock tells its work the time of that clock', async () => {
    const clock = testClock({ epochMs: Date.UTC(2100, 0, 1) })
    const epochOf = (ctx: Context) => Number.parseInt(ctx.idempotencyKey.replace('-', '').slice(0, 12), 16)
    for (const count of [1, 2, 5]) {
      const whole = policies(...Array.from({ length: count }, (_, n) => probe(String(n), undefined, { clock })))
      expect(await whole.run(epochOf)).toBeGreaterThanOrEqual(Date.UTC(2100, 0, 1))
    }
  })
})

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
      seen = []
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
      seen = []
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

describe('work that was cancelled', () => {
  test.each([1, 2, 5])('is an abort to all of %i guards, however it ends', async (count) => {
    for (const ends of ['ok', 'broken', 'reason']) {
      seen = []
      const counted = countedSignal()
      const work = deferred()
      const whole = policies(...['a', 'b', 'c', 'd', 'e'].slice(0, count).map((name) => probe(name)))
      const answer = refusedBy(whole.run(() => work.promise, { signal: counted.signal }))
      await settled()
      counted.abort(declined('no longer needed'))
      expect(await answer).toMatchObject({ code: 'ABORTED', effect: 'unknown' })
      expect(seen).toEqual([])
      if (ends === 'ok') work.resolve(1)
      else work.reject(ends)
      await settled()
      expect(seen.filter((each) => each.includes('leaves'))).toEqual(
        ['e', 'd', 'c', 'b', 'a'].slice(5 - count).map((name) => `${name} leaves ABORTED`),
      )
    }
  })
})

describe('composition', () => {
  const framesOf = async (...parts: readonly Policy[]): Promise<number> => {
    let frames = 0
    const counting = guardPolicy({
      name: 'counting',
      enter(ctx) {
        for (let at = inside(ctx); at.parent !== null; at = at.parent) frames += 1
        return permitOf('counting')
      },
    })
    await policies(...parts, counting).run(() => 1, { context: createContext() })
    return frames
  }

  test('fuses guards on one clock, with at most one racer; a user’s guard inside one of ours begins a frame', async () => {
    const clock = testClock()
    const theirs = guard({ name: 'theirs', enter: () => permitOf('theirs') })
    expect(await framesOf(probe('a'), probe('b'))).toBe(0)
    expect(await framesOf(probe('a', undefined, { clock }), probe('b'))).toBe(0)
    expect(await framesOf(probe('a', undefined, { clock }), probe('b', undefined, { timed: 'leave' }))).toBe(1)
    expect(await framesOf(late(clock), probe('a'), late(testClock()))).toBe(2)
    expect(await framesOf(late(defaultClock, 60_000))).toBe(1)
    expect(await framesOf(late(defaultClock, 60_000), late(defaultClock, 60_000))).toBe(2)
    expect(await framesOf(probe('a'), late(defaultClock, 60_000), probe('b'))).toBe(1)
    expect(await framesOf(theirs, probe('a'))).toBe(0)
    expect(await framesOf(probe('a'), theirs)).toBe(1)
    expect(await framesOf(theirs, theirs, probe('a'))).toBe(0)
  })

  test('lets a retry answer for the racing frame directly inside it, on the same clock', async () => {
    const clock = testClock()
    const attempts = async (whole: Policy) => {
      const parents: boolean[] = []
      const answer = whole.tryRun((ctx) => {
        parents.push(inside(ctx).parent === null)
        throw new Error('again')
      })
      await clock.advance(10)
      await answer
      return parents
    }
    const again = retry({ clock, attempts: 2, delayMs: 0 })
    expect(await attempts(policies(again, late(clock)))).toEqual([true, false])
    expect(await attempts(policies(again, late(testClock())))).toEqual([false, false])
    expect(
      await attempts(
        policies(
          again,
          policy('w', (next) => next),
          late(clock),
        ),
      ),
    ).toEqual([false, false])
    expect(await attempts(policies(again, guard({ name: 'theirs', enter: () => permitOf('theirs') }), late(clock)))).toEqual([false, false])
  })
})
