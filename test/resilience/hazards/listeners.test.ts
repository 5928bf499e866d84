import { describe, expect, test } from 'vitest'
import { type Context, createContext, policies, type RunOptions } from '../../../src/index.ts'
import { testClock } from '../../../src/testing/test-clock.ts'
import { countedSignal, settled, waitersOn } from '../support.ts'
import { everyPolicy } from './every-policy.ts'

const CALLS = 100_000
const AT_ONCE = 5_000

const names = Object.keys(everyPolicy(testClock()).each)
const stacks: readonly (readonly string[])[] = [
  ...names.map((name) => [name]),
  ['fallback', 'cache', 'coalesce', 'retry', 'circuitBreaker', 'keyed', 'bulkhead', 'rateLimit, bucket', 'timeout', 'hedge', 'chaos'],
]

async function flood(stack: readonly string[], calls: number, options: (signal: AbortSignal) => RunOptions) {
  const clock = testClock()
  const { each, leaks } = everyPolicy(clock)
  const guard = policies(...stack.map((name) => each[name] as never))
  const { signal, listeners } = countedSignal()
  let most = 0
  for (let done = 0; done < calls; done += AT_ONCE) {
    const batch = Array.from({ length: Math.min(AT_ONCE, calls) }, (_, n) =>
      guard.tryRun(async (ctx) => {
        if (n % 2 === 0) void ctx.signal
        most = Math.max(most, listeners())
        if (n % 7 === 0) throw new Error('boom')
      }, options(signal)),
    )
    most = Math.max(most, listeners())
    await clock.advance(1_000)
    await Promise.all(batch)
  }
  await settled()
  expect(leaks()).toEqual({})
  expect(clock.pending).toBe(0)
  return { most, left: listeners() }
}

describe('hazard M: 10^5 calls leave at most one listener on a long-lived signal, and none when nobody waits', () => {
  test.each(stacks)(
    'handed to each call through %s',
    async (...stack) => {
      const calls = stack.length > 1 ? CALLS : CALLS / 10
      let n = 0
      expect(await flood(stack, calls, (signal) => ({ signal, keys: { key: `${n++ % 50}` } }))).toEqual({ most: 1, left: 0 })
    },
    120_000,
  )

  test.each(stacks)('in a context of each call, through %s', async (...stack) => {
    expect(await flood(stack, AT_ONCE, (signal) => ({ context: createContext({ signal, keys: { key: 'k' } }) }))).toEqual({
      most: 1,
      left: 0,
    })
  })

  test.each(stacks)('in one context that all of them share, through %s', async (...stack) => {
    let context: ReturnType<typeof createContext> | undefined
    const options = (signal: AbortSignal) => {
      context ??= createContext({ signal, keys: { key: 'k' } })
      return { context }
    }
    expect(await flood(stack, AT_ONCE, options)).toEqual({ most: 1, left: 0 })
    expect(waitersOn(context as never)).toBe(0)
  })

  test.each([...stacks, ['circuitBreaker', 'bulkhead'], ['bulkhead', 'rateLimit, bucket', 'circuitBreaker'], ['bulkhead', 'timeout']])(
    'of handlers that are called in one context, through %s',
    async (...stack) => {
      const clock = testClock()
      const { each, leaks } = everyPolicy(clock)
      const { signal, listeners } = countedSignal()
      const context = createContext({ signal, keys: { key: 'k' }, clock })
      const handler = policies(...stack.map((name) => each[name] as never))(async (n: number, ctx: Context) => {
        void ctx.signal
        if (n % 7 === 0) throw new Error('boom')
      })
      const calls = Array.from({ length: 500 }, (_, n) => handler(n, context).catch(() => {}))
      await clock.advance(1_000)
      await Promise.all(calls)
      await settled()
      // Where nobody made a context of its own, the handler has read the signal of the one that all share, which keeps it.
      expect(listeners()).toBeLessThanOrEqual(1)
      expect([waitersOn(context), leaks(), clock.pending]).toEqual([0, {}, 0])
    },
  )

  test('of a call whose caller gave up while its work goes on, when that has ended', async () => {
    const clock = testClock()
    const { each } = everyPolicy(clock)
    for (const name of names) {
      const { signal, listeners } = countedSignal()
      const own = countedSignal()
      const context = createContext({ signal })
      const call = each[name]?.tryRun(
        (ctx) => {
          void ctx.signal
          return new Promise((resolve) => void clock.setTimer(() => resolve(1), 100))
        },
        { context, signal: own.signal },
      )
      await settled()
      own.abort()
      await call
      await clock.advance(1_000)
      expect([name, listeners(), own.listeners(), waitersOn(context)]).toEqual([name, 0, 0, 0])
    }
    expect(clock.pending).toBe(0)
  })
})
