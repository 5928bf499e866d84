import { expect, expectTypeOf, test } from 'vitest'
import { diagnostics } from '../../src/core/diagnostics.ts'
import {
  type Context,
  circuitBreaker,
  consecutive,
  createContext,
  declined,
  fallback,
  metrics,
  policies,
  retry,
  timeout,
} from '../../src/index.ts'
import { testClock } from '../../src/testing/test-clock.ts'
import { boom, codeOf, errorOf, thrownBy, untilAborted } from './support.ts'

test('a result passes untouched, and the alternative is not asked for', async () => {
  const guard = fallback(() => boom())
  expect(await guard.run(() => 'fresh')).toBe('fresh')
  expect(await fallback(null).run(() => undefined)).toBe(undefined)
})

test('an error is answered with the value, or with what a function of the error and the context returns', async () => {
  expect(await fallback('stale').run(boom)).toBe('stale')
  expect(await fallback('stale').run(() => Promise.reject(undefined))).toBe('stale')
  const seen: unknown[] = []
  const guard = fallback(async (error, ctx) => {
    seen.push(error, ctx.tenant)
    return 'stale'
  })
  const refusing = policies(guard, circuitBreaker({ trips: consecutive(1) }))
  expect(await refusing.run(() => Promise.reject('first'))).toBe('stale')
  expect(await refusing.run(() => 'fresh')).toBe('stale')
  expect(seen).toMatchObject(['first', undefined, { code: 'BREAKER_OPEN' }, undefined])
  expect(await guard.run(() => Promise.reject(declined('no')))).toBe('stale')
})

test('what the function throws goes out instead', async () => {
  await expect(fallback(() => boom()).run(() => Promise.reject('first'))).rejects.toThrow('boom')
  expect(codeOf(await fallback(() => Promise.reject('second')).tryRun(() => Promise.reject('first')))).toBe('second')
})

test('a caller who gave up gets none', async () => {
  let asked = 0
  const clock = testClock()
  const guard = policies(
    fallback(() => ++asked),
    timeout({ timeoutMs: 50, clock }),
  )
  const controller = new AbortController()
  const call = guard.tryRun(untilAborted, { signal: controller.signal })
  controller.abort()
  expect(errorOf(await call).code).toBe('ABORTED')
  await clock.advance(100)
  expect(asked).toBe(0)
})

test.each(['run', 'a handler'])('a caller whose deadline has passed gets none either (%s)', async (how) => {
  let asked = 0
  const clock = testClock()
  const guard = fallback(() => ++asked)
  const context = createContext({ timeoutMs: 50, clock })
  const call =
    how === 'run' ? guard.run(untilAborted, { context }) : guard((_: undefined, ctx: Context) => untilAborted(ctx))(undefined, context)
  const answer = Promise.resolve(call).catch((error: unknown) => error)
  await clock.advance(50)
  expect(await answer).toMatchObject({ code: 'DEADLINE' })
  expect([asked, guard.stats()]).toEqual([0, { answered: 0, failed: 0 }])
})

test('around a retry it answers once, after the last attempt; inside one there is nothing to try again', async () => {
  let calls = 0
  const failing = () => {
    calls += 1
    boom()
  }
  const again = retry({ attempts: 3, delayMs: 0 })
  expect(await policies(fallback('stale'), again).run(failing)).toBe('stale')
  expect(calls).toBe(3)
  expect(await policies(again, fallback('stale')).run(failing)).toBe('stale')
  expect(calls).toBe(4)
})

test('its numbers are in the registry, and it tells of every alternative', async () => {
  let broken = false
  const guard = fallback(() => (broken ? boom() : 'stale'), { name: 'price' })
  const told: unknown[] = []
  const off = guard.on('answered', (event) => told.push(event))
  const published: unknown[] = []
  const listen = (message: unknown) => void published.push(message)
  diagnostics.policy.subscribe(listen)
  const down = new Error('down')
  await guard.run(() => 'fresh')
  expect(await guard.tryRun(() => Promise.reject(down))).toEqual({ ok: true, value: 'stale', source: 'fallback' })
  off()
  await guard.run(() => Promise.reject(down))
  diagnostics.policy.unsubscribe(listen)
  broken = true
  expect((await guard.tryRun(() => Promise.reject(down))).ok).toBe(false)
  await guard.tryRun(untilAborted, { signal: AbortSignal.abort() })
  expect(guard.stats()).toEqual({ answered: 2, failed: 1 })
  expect(metrics().filter(({ name }) => name === 'price')).toEqual([{ policy: 'fallback', name: 'price', stats: guard.stats() }])
  expect(told).toEqual([{ name: 'price', error: down }])
  expect(published).toEqual(Array(2).fill({ policy: 'fallback', name: 'price', event: 'answered' }))
  expect([guard.name, fallback(null).name]).toEqual(['price', 'fallback'])
})

test('options that do not fit are refused, and nothing of it can be changed', () => {
  for (const options of [5, { name: '' }, { names: 'x' }])
    expect(thrownBy(() => fallback(null, options as never))).toMatchObject({ code: 'INVALID_OPTIONS' })
  const guard = fallback(null)
  guard.reconfigure({})
  expect(thrownBy(() => guard.reconfigure({ name: 'other' } as never))).toMatchObject({ code: 'INVALID_OPTIONS' })
})

test('the compiler adds the alternative to the result', () => {
  const guard = policies(fallback(null), retry())
  expectTypeOf(guard.run(async () => 5)).resolves.toEqualTypeOf<number | null>()
  expectTypeOf(fallback((_error: unknown, _ctx: Context) => 'stale').run(() => 5)).resolves.toEqualTypeOf<number | string>()
})
