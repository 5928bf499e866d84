// Hazards B, F and L, for a breaker inside each other policy.
import { describe, expect, test } from 'vitest'
import { circuitBreaker, consecutive, policies } from '../../../src/index.ts'
import { testClock } from '../../../src/testing/test-clock.ts'
import { boom, codeOf, countedSignal, deferred, settled, untilAborted } from '../support.ts'
import { everyPolicy } from './every-policy.ts'

/** Those that wait, share, repeat or answer in the place of a call. What answers by itself, or has a breaker of its own, is not about this. */
const AROUND = Object.keys(everyPolicy(testClock()).each).filter(
  (name) => !['circuitBreaker', 'fallback', 'chaos', 'retry', 'cache'].includes(name),
)

/** A breaker whose open time is over, inside another policy. */
async function halfOpen(name: string) {
  const clock = testClock()
  const breaker = circuitBreaker({ clock, trips: consecutive(1), openMs: 100, probeTimeoutMs: 50 })
  await breaker.tryRun(boom)
  await clock.advance(100)
  expect(breaker.state).toBe('half-open')
  const guard = policies(everyPolicy(clock).each[name] as never, breaker)
  const keys = { key: 'k' }
  return { clock, breaker, guard, keys }
}

describe.each(AROUND)('inside %s', (name) => {
  test('hazard B: a hung probe does not block everyone', async () => {
    const { clock, breaker, guard, keys } = await halfOpen(name)
    const hung = deferred()
    void guard.tryRun(() => hung.promise, { keys })
    await clock.advance(50)
    await guard.tryRun(boom, { keys: { key: 'other' } })
    await clock.advance(200)
    await guard.tryRun(() => 'well', { keys: { key: 'other' } })
    await settled()
    expect(breaker.state).toBe('closed')
    hung.resolve(1)
    await clock.advance(100)
    expect(breaker.state).toBe('closed')
  })

  test('hazard F: a probe that its caller cancelled decides nothing', async () => {
    const { clock, breaker, guard, keys } = await halfOpen(name)
    for (const work of [untilAborted, (ctx: { readonly signal: AbortSignal }) => untilAborted(ctx).catch(() => 'half')]) {
      const { signal, abort } = countedSignal()
      const probe = guard.tryRun(work, { signal, keys })
      await clock.advance(1)
      abort('the user went elsewhere')
      expect(codeOf(await probe)).toBe('ABORTED')
      await settled()
      expect(breaker.state).toBe('half-open')
    }
    await clock.advance(20)
    await guard.tryRun(() => 'the next one probes', { keys })
    expect(breaker.state).toBe('closed')
  })

  test('hazard L: a call at the very end of the open time probes', async () => {
    const { clock, breaker, guard, keys } = await halfOpen(name)
    await breaker.tryRun(boom)
    await clock.advance(99.75)
    expect(codeOf(await guard.tryRun(() => 1, { keys }))).toBe('BREAKER_OPEN')
    await clock.advance(0.25)
    expect(codeOf(await guard.tryRun(() => 1, { keys }))).toBe('ok')
    expect(breaker.state).toBe('closed')
  })
})

test('hazard F: a probe that a hedge cancelled because another attempt had answered decides nothing', async () => {
  const clock = testClock()
  const breaker = circuitBreaker({ clock, trips: consecutive(1), openMs: 100, probes: 2 })
  await breaker.tryRun(boom)
  await clock.advance(100)
  const hedged = policies(everyPolicy(clock).each.hedge as never, breaker)
  let attempt = 0
  const call = hedged.run((ctx) => (attempt++ === 0 ? untilAborted(ctx) : 'second'))
  await clock.advance(10)
  expect(await call).toBe('second')
  await settled()
  // One of two probes has succeeded; the other was cancelled, and another one may take its place.
  expect([breaker.state, breaker.stats()]).toMatchObject(['half-open', { succeeded: 1, ignored: 1, opened: 1 }])
  await breaker.run(() => 'well')
  expect(breaker.state).toBe('closed')
})
