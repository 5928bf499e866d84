import { describe, expect, test, vi } from 'vitest'
import { type Clock, defaultClock } from '../../src/core/clock.ts'
import type { Context } from '../../src/core/context.ts'
import { createContext } from '../../src/core/create-context.ts'
import { declined, refusal } from '../../src/core/errors.ts'
import { guard } from '../../src/core/guard-policy.ts'
import type { Policy } from '../../src/core/handler.ts'
import { policies, policy } from '../../src/core/policy.ts'
import { retry } from '../../src/resilience/retry.ts'
import { timeout } from '../../src/resilience/timeout.ts'
import { testClock } from '../../src/testing/test-clock.ts'
import { never, permitOf, probe, seen } from './probes.ts'
import { countedSignal, deferred, guardPolicy, inside, refusedBy, settled, virtualTime } from './support.ts'

virtualTime()

const full = refusal('BULKHEAD_FULL', 'full')
const late = (clock: Clock, timeoutMs = 50) => timeout({ timeoutMs, clock })

describe('a refusal', () => {
  test.each([2, 3, 4, 5])('of guard number %i of a frame ends those outside it, innermost first', async (count) => {
    const names = ['a', 'b', 'c', 'd', 'e'].slice(0, count)
    for (const turned of [full, Promise.resolve(full)]) {
      for (const quiet of [true, false]) {
        seen.length = 0
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
      seen.length = 0
      const held = deferred()
      const whole = policies(...names.map((name) => probe(name)))
      const task = (ctx: Context) => ctx.hold(held.promise)
      await whole.run(task, context === undefined ? undefined : { context })
      expect(seen).toEqual(inwards.map((name) => `${name} leaves ok`))
      held.resolve(1)
      await settled()
      expect(seen.slice(count)).toEqual(inwards.map((name) => `${name} releases`))
      seen.length = 0
      await expect(whole.run(() => Promise.reject('broken'), context === undefined ? undefined : { context })).rejects.toBe('broken')
      expect(seen).toEqual(inwards.flatMap((name) => [`${name} leaves broken`, `${name} releases`]))
    }
  })

  test('that has ended releases nothing again, whatever its context holds later', async () => {
    for (const whole of [probe('a'), policies(probe('a'), probe('b')), policies(probe('a'), late(testClock()))]) {
      seen.length = 0
      let inner: Context | undefined
      const held = deferred()
      await whole.run((ctx) => {
        inner = ctx
        ctx.hold(held.promise)
      })
      held.resolve(1)
      await settled()
      const before = [...seen]
      inner?.hold(Promise.resolve())
      await settled()
      expect(seen).toEqual(before)
      expect(before).toContain('a releases')
    }
  })

  test('of guards that keep nothing releases at once, whatever is held', async () => {
    for (const count of [1, 2]) {
      seen.length = 0
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

describe('work that was cancelled', () => {
  test.each([1, 2, 5])('is an abort to all of %i guards, however it ends', async (count) => {
    for (const ends of ['ok', 'broken', 'reason']) {
      seen.length = 0
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
