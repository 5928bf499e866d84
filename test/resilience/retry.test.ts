import { describe, expect, test } from 'vitest'
import { createContext, declined, failed, HoldfastError, policies, retry, retryBudget, timeout } from '../../src/index.ts'
import { testClock } from '../../src/testing/test-clock.ts'
import { boom, codeOf, deferred, errorOf, settled } from './support.ts'

const nothing = { attempts: 3, delayMs: 0 }

test.each([new Error('x'), { status: 503 }, undefined, null, 'text', 0, Symbol.for('s')])('a thrown %s is tried again', async (thrown) => {
  let calls = 0
  const outcome = await retry(nothing).tryRun(() => {
    calls += 1
    throw thrown
  })
  expect(outcome).toEqual({ ok: false, error: thrown, effect: 'unknown' })
  expect(calls).toBe(3)
})

test.each([declined('no'), failed('no'), new HoldfastError('MINE', 'mine')])('%s, which says never, is not', async (thrown) => {
  let calls = 0
  expect(await retry(nothing).tryRun(() => Promise.reject(calls++ || thrown))).toMatchObject({ error: thrown })
  expect(calls).toBe(1)
})

describe('retryIf', () => {
  test('decides alone', async () => {
    let calls = 0
    const again = retry({ ...nothing, retryIf: (error) => error === 'again' })
    const script = ['again', 'stop', 'again']
    expect(codeOf(await again.tryRun(() => Promise.reject(script[calls++])))).toBe('stop')
    expect(calls).toBe(2)
    expect(codeOf(await again.tryRun(() => Promise.reject(declined('no'))))).toBe('DECLINED')
  })

  test('has no say where a caller gave up, be it of an inner call', async () => {
    const gaveUp = new HoldfastError('ABORTED', 'the caller gave up', { effect: 'unknown', retry: 'never' })
    let asked = 0
    let calls = 0
    const eager = retry({
      ...nothing,
      retryIf: () => {
        asked += 1
        return true
      },
    })
    expect(errorOf(await eager.tryRun(() => Promise.reject(calls++ === 0 ? gaveUp : 'again')))).toBe(gaveUp)
    const controller = new AbortController()
    const handler = eager(async () => {
      calls += 1
      controller.abort()
      throw new Error('because it was aborted')
    })
    await handler(undefined, createContext({ signal: controller.signal })).catch(() => {})
    expect([calls, asked]).toEqual([2, 0])
  })

  test('that throws costs the caller no error and asks for no attempt', async () => {
    let calls = 0
    const outcome = await retry({ ...nothing, retryIf: boom }).tryRun(() => Promise.reject(++calls))
    expect(outcome).toEqual({ ok: false, error: 1, effect: 'unknown' })
  })
})

describe('chance', () => {
  const delaysOf = async (random: () => number, backoff: 'constant' | 'exponential') => {
    const clock = testClock()
    const atMs: number[] = []
    const call = retry({ attempts: 5, delayMs: 100, delayMaxMs: 350, backoff, random, clock }).tryRun(() => {
      atMs.push(clock.nowMs())
      boom()
    })
    await clock.advance(10_000)
    await call
    return atMs.slice(1).map((ms, n) => ms - (atMs[n] as number))
  }
  test('at its least draws half of each delay', async () => {
    expect(await delaysOf(() => 0, 'exponential')).toEqual([50, 100, 175, 175])
  })
  test('at its most draws all of each delay and never more', async () => {
    expect(await delaysOf(() => 1 - Number.EPSILON / 2, 'exponential')).toEqual([100, 200, 350, 350])
  })
  test('has no say in a constant delay', async () => {
    expect(await delaysOf(() => 0, 'constant')).toEqual([100, 100, 100, 100])
  })
  test('is asked anew each time', async () => {
    const draws = [0, 0.5, 1, 0.25]
    expect(await delaysOf(() => draws.shift() ?? 0, 'exponential')).toEqual([50, 150, 350, 218.75])
  })
})

describe('retryAfterMs of an error', () => {
  const run = async (asked: unknown, options: object, runOptions: object = {}) => {
    const clock = testClock()
    const atMs: number[] = []
    const call = retry({ attempts: 2, delayMs: 100, delayMaxMs: 1_000, random: () => 0, clock, ...options }).tryRun(
      () => {
        atMs.push(clock.nowMs())
        throw Object.assign(new Error('busy'), { retryAfterMs: asked })
      },
      { context: createContext({ clock, ...runOptions }) },
    )
    await clock.advance(10_000_000)
    await call
    expect(clock.pending).toBe(0)
    return atMs
  }
  test.each([
    [700, [0, 700]],
    [1_000, [0, 1_000]],
    [20, [0, 50]],
    [0, [0, 50]],
    [-5, [0, 50]],
    [Number.NaN, [0, 50]],
    ['700', [0, 50]],
    [undefined, [0, 50]],
  ])('%j is honoured where it is longer than the delay', async (asked, atMs) => {
    expect(await run(asked, {})).toEqual(atMs)
  })
  test.each([1_000.5, 86_400_000, Infinity])(
    'of %d ms, longer than delayMaxMs, is not waited for where nothing bounds it',
    async (asked) => {
      expect(await run(asked, {})).toEqual([0])
    },
  )
  test('longer than delayMaxMs is waited for within a deadline, or elapsedMaxMs', async () => {
    expect(await run(5_000, {}, { timeoutMs: 5_001 })).toEqual([0, 5_000])
    expect(await run(5_000, { elapsedMaxMs: 5_001 })).toEqual([0, 5_000])
    expect(await run(5_000, {}, { timeoutMs: 5_000 })).toEqual([0])
    expect(await run(5_000, { elapsedMaxMs: 5_000 })).toEqual([0])
  })
  test('that throws when it is read is the task’s affair, and the call still ends', async () => {
    const error = Object.defineProperty(new Error('odd'), 'retryAfterMs', { get: boom })
    expect((await retry(nothing).tryRun(() => Promise.reject(error))).ok).toBe(false)
  })
})

describe('attempts', () => {
  const shapes = {
    alone: () => retry(nothing),
    'around a timeout': () => policies(retry(nothing), timeout({ timeoutMs: 1_000 })),
  }
  test.each(Object.entries(shapes))(
    'count from 1 below another retry and under a context that counts, with one key: %s',
    async (_, inner) => {
      const seen: number[] = []
      const keys = new Set<string>()
      const guard = inner()
      await retry({ attempts: 2, delayMs: 0 }).tryRun((context) =>
        guard.run(
          (ctx) => {
            seen.push(ctx.attempt)
            keys.add(ctx.idempotencyKey)
            boom()
          },
          { context },
        ),
      )
      expect(seen).toEqual([1, 2, 3, 1, 2, 3])
      expect(keys.size).toBe(1)
      seen.length = 0
      await policies(retry({ attempts: 2, delayMs: 0 }), inner()).tryRun(({ attempt }) => Promise.reject(seen.push(attempt)), {
        context: createContext({ attempt: 7 }),
      })
      expect(seen).toEqual([1, 2, 3, 1, 2, 3])
    },
  )

  test.each(Object.entries(shapes))('see the key that was handed in: %s', async (_, inner) => {
    const keys: string[] = []
    await inner().tryRun((ctx) => Promise.reject(keys.push(ctx.idempotencyKey)), { idempotencyKey: 'order-7' })
    expect(keys).toEqual(['order-7', 'order-7', 'order-7'])
  })

  test.each(Object.entries(shapes))('of a call that began without a context have one key, and each call its own: %s', async (_, inner) => {
    const guard = inner()
    const keysOf = async () => {
      const keys: string[] = []
      await guard.tryRun((ctx) => Promise.reject(keys.push(ctx.idempotencyKey)))
      return keys
    }
    const [first, second] = [await keysOf(), await keysOf()]
    expect(first).toEqual([first[0], first[0], first[0]])
    expect(second).toEqual([second[0], second[0], second[0]])
    expect(first[0]).not.toBe(second[0])
  })

  test.each([
    [1, 'no budget', undefined],
    [2, 'no budget', undefined],
    [1, 'a budget', retryBudget()],
    [2, 'a budget', retryBudget()],
  ])('hear their caller for as long as what they hold goes on (attempt %i, %s)', async (last, _, budget) => {
    const caller = new AbortController()
    const { promise: body, resolve: bodyEnds } = deferred()
    let signal: AbortSignal | undefined
    const head = await retry({ attempts: 2, delayMs: 0, ...(budget && { budget }) }).run(
      (ctx) => {
        if (ctx.attempt < last) throw new Error('down')
        signal = ctx.signal
        ctx.hold(body)
        return 'head'
      },
      { signal: caller.signal },
    )
    await settled()
    expect([head, signal?.aborted]).toEqual(['head', false])
    caller.abort()
    expect(signal?.aborted).toBe(true)
    bodyEnds(1)
  })

  test('that were abandoned by a timeout read the same key however late', async () => {
    const clock = testClock()
    const keys: string[] = []
    const late = deferred()
    let n = 0
    const call = policies(retry({ attempts: 2, delayMs: 0, clock }), timeout({ timeoutMs: 10, clock })).run(async (ctx) => {
      if (n++ === 0) await late.promise
      keys.push(ctx.idempotencyKey)
    })
    await clock.advance(10)
    await call
    late.resolve(1)
    await clock.advance(0)
    expect(keys).toHaveLength(2)
    expect(keys[0]).toBe(keys[1])
  })
})

test('refusals without a bound are thrown at once, and with one are asked for again no sooner than every 10 ms', async () => {
  const clock = testClock()
  const refusal = new HoldfastError('BUSY', 'busy', { effect: 'none', retry: 'later' })
  const atMs: number[] = []
  const task = () => {
    atMs.push(clock.nowMs())
    throw refusal
  }
  expect(errorOf(await retry({ ...nothing, clock }).tryRun(task))).toBe(refusal)
  expect(atMs).toEqual([0])
  const bounded = retry({ ...nothing, clock, elapsedMaxMs: 35 }).tryRun(task)
  await clock.advance(100)
  expect(errorOf(await bounded)).toBe(refusal)
  expect(atMs.slice(1)).toEqual([0, 10, 20, 30])
})
