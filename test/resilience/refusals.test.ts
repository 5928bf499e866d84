import { expect, test } from 'vitest'
import { insertion } from '../../src/core/compose.ts'
import {
  bulkhead,
  type Context,
  circuitBreaker,
  consecutive,
  createContext,
  HoldfastError,
  policies,
  retry,
  timeout,
} from '../../src/index.ts'
import { testClock } from '../../src/testing/test-clock.ts'
import { boom, codeOf, deferred, errorOf } from './support.ts'

test('an open breaker refuses with one error per open period, without a stack, whose retryAfterMs counts down', async () => {
  const clock = testClock()
  const breaker = circuitBreaker({ name: 'stock', trips: consecutive(1), openMs: 1_000, openMaxMs: 2_000, clock })
  await breaker.tryRun(boom)
  const first = errorOf(await breaker.tryRun(boom))
  expect(first).toBeInstanceOf(HoldfastError)
  expect(first).toMatchObject({ code: 'BREAKER_OPEN', effect: 'none', retry: 'later', retryAfterMs: 1_000 })
  expect(first.message).toBe('stock is open and lets nothing through for 1000 ms')
  expect(first.stack ?? '').not.toContain('    at ')

  await clock.advance(400)
  expect(first.retryAfterMs).toBe(600)
  expect(errorOf(await breaker.tryRun(boom))).toBe(first)
  await expect(breaker.run(boom)).rejects.toBe(first)
  await expect(breaker(async () => boom())(undefined, createContext())).rejects.toBe(first)
  await expect(breaker.wrap(async () => boom())()).rejects.toBe(first)

  await clock.advance(600)
  expect(first.retryAfterMs).toBe(0)
  await breaker.tryRun(boom)
  const second = errorOf(await breaker.tryRun(boom))
  expect(second).not.toBe(first)
  expect(second.retryAfterMs).toBe(2_000)
  await clock.advance(500)
  expect([first.retryAfterMs, second.retryAfterMs]).toEqual([0, 1_500])
  expect({ ...second }.retryAfterMs).toBe(1_500)
})

test('tryRun on an open breaker answers with an outcome, and the task is not run', async () => {
  const breaker = circuitBreaker({ trips: consecutive(1), clock: testClock() })
  await breaker.tryRun(boom)
  let ran = 0
  const outcomes = await Promise.all([
    breaker.tryRun(() => ran++),
    breaker.tryRun(() => ran++, { signal: new AbortController().signal }),
    policies(breaker, bulkhead()).tryRun(() => ran++),
    policies(breaker, timeout({ timeoutMs: 5 })).tryRun(() => ran++),
    policies(bulkhead(), breaker).tryRun(() => ran++),
    policies(timeout({ timeoutMs: 5 }), breaker).tryRun(() => ran++),
    policies(retry(), breaker).tryRun(() => ran++),
  ])
  const { error } = outcomes[0] as { readonly error: unknown }
  for (const outcome of outcomes) expect(outcome).toEqual({ ok: false, error, effect: 'none' })
  expect(codeOf(outcomes[0])).toBe('BREAKER_OPEN')
  expect(ran).toBe(0)
})

test('half-open says how many probe, and when to ask again', async () => {
  const clock = testClock()
  const breaker = circuitBreaker({ name: 'b', trips: consecutive(1), openMs: 10, probes: 2, clock })
  await breaker.tryRun(boom)
  await clock.advance(10)
  await breaker.run(() => 'one')
  const out = deferred()
  void breaker.run(() => out.promise)
  const refused = errorOf(await breaker.tryRun(boom))
  expect(refused).toMatchObject({ code: 'BREAKER_OPEN', effect: 'none', retry: 'later', retryAfterMs: 100 })
  expect(refused.message).toBe('b is half-open: 1 probing, 1 of 2 succeeded')
})

test('a full bulkhead says how full, without a stack', async () => {
  const slots = bulkhead({ name: 'reports', concurrent: 1, queued: 1 })
  void slots.run(() => new Promise(() => {}))
  void slots.run(boom)
  const error = errorOf(await slots.tryRun(boom))
  expect(error).toMatchObject({ code: 'BULKHEAD_FULL', effect: 'none', retry: 'later' })
  expect(error.message).toBe('reports is full: 1 running, 1 of 1 waiting')
  expect(error.stack ?? '').not.toContain('    at ')
  const without = bulkhead({ concurrent: 1 })
  void without.run(() => new Promise(() => {}))
  expect(errorOf(await without.tryRun(boom)).message).toBe('bulkhead is full: 1 running, 0 of 0 waiting')
})

test('a timeout says after how long; a deadline that had passed runs nothing and says so', async () => {
  const clock = testClock()
  const late = timeout({ name: 'quote', timeoutMs: 30, clock })
  const call = late.tryRun(() => new Promise(() => {}))
  await clock.advance(30)
  expect(errorOf(await call)).toMatchObject({
    code: 'TIMEOUT',
    effect: 'unknown',
    retry: 'later',
    message: 'quote: no answer within 30 ms',
  })

  let ran = false
  const outcome = await late.tryRun(
    () => {
      ran = true
    },
    { context: createContext({ timeoutMs: 0, clock }) },
  )
  expect(outcome).toMatchObject({ ok: false, effect: 'none', error: { code: 'DEADLINE', effect: 'none' } })
  expect(ran).toBe(false)
})

test('a timeout inside another refuses a call in the very instant at which the outer time is over', async () => {
  const clock = testClock()
  const gate = new Promise<void>((resolve) => void clock.setTimer(resolve, 100))
  const inner = timeout({ name: 'inner', timeoutMs: 50, clock })
  let outcome: unknown
  let ran = false
  const outer = timeout({ name: 'outer', timeoutMs: 100, clock }).tryRun(async (context) => {
    await gate
    outcome = await inner.tryRun(
      () => {
        ran = true
      },
      { context },
    )
  })
  await clock.advance(100)
  await outer
  expect(outcome).toMatchObject({ effect: 'none', error: { code: 'DEADLINE', message: 'inner: the deadline had passed before the call' } })
  expect(ran).toBe(false)
})

test('whoever waits in a bulkhead hears which patience ended, and that nothing happened', async () => {
  const clock = testClock()
  const slots = bulkhead({ name: 'reports', concurrent: 1, queued: 5 })
  void slots.run(() => new Promise(() => {}))
  const uninstall = clock.install()
  try {
    const controller = new AbortController()
    const aborted = slots.tryRun(boom, { signal: controller.signal })
    const dead = slots.tryRun(boom, { timeoutMs: 20 })
    const timedOut = policies(timeout({ timeoutMs: 10 }), slots).tryRun(boom)
    const cause = new Error('closed the page')
    controller.abort(cause)
    expect(errorOf(await aborted)).toMatchObject({ code: 'ABORTED', effect: 'none', retry: 'never', cause })
    await clock.advance(10)
    // In frames of their own, the outer one cannot see that the inner one waits: then it may only say too little.
    const effect = insertion.wrap === null ? 'none' : 'unknown'
    expect(await timedOut).toMatchObject({ effect, error: { code: 'TIMEOUT', effect } })
    await clock.advance(10)
    expect(errorOf(await dead)).toMatchObject({ code: 'DEADLINE', effect: 'none' })
    expect(slots.waiting).toBe(0)
  } finally {
    uninstall()
  }
})

test('a handler that waits in a bulkhead hears it from the bulkhead itself', async () => {
  const clock = testClock()
  const slots = bulkhead({ name: 'reports', concurrent: 1, queued: 5 })
  const guarded = slots(async () => boom())
  void slots.run(() => new Promise(() => {}))
  const outcomeOf = (context: Context) => guarded(undefined, context).catch((error: unknown) => error)
  const controller = new AbortController()
  const aborted = outcomeOf(createContext({ signal: controller.signal }))
  const dead = outcomeOf(createContext({ timeoutMs: 20, clock }))
  expect(slots.waiting).toBe(2)
  controller.abort('closed the page')
  expect(await aborted).toMatchObject({
    code: 'ABORTED',
    effect: 'none',
    retry: 'never',
    cause: 'closed the page',
    message: 'the caller gave up while waiting in reports',
  })
  await clock.advance(20)
  expect(await dead).toMatchObject({ code: 'DEADLINE', effect: 'none', message: 'the deadline has passed; still waiting in reports' })
  expect(await outcomeOf(createContext({ signal: controller.signal }))).toMatchObject({ code: 'ABORTED', effect: 'none' })
  expect(slots.waiting).toBe(0)
})

test('a signal that is already aborted runs nothing, takes no slot and counts for no breaker', async () => {
  const slots = bulkhead({ concurrent: 1 })
  const breaker = circuitBreaker({ trips: consecutive(1), clock: testClock() })
  const guards = [slots, breaker, retry(), timeout({ timeoutMs: 10 }), policies(retry(), breaker, slots, timeout({ timeoutMs: 10 }))]
  for (const guard of guards) {
    let ran = false
    const outcome = await guard.tryRun(
      () => {
        ran = true
        return boom()
      },
      { signal: AbortSignal.abort('gone') },
    )
    expect(errorOf(outcome)).toMatchObject({ code: 'ABORTED', effect: 'none', retry: 'never', cause: 'gone' })
    expect(ran).toBe(false)
  }
  expect([slots.running, slots.abandoned, breaker.state]).toEqual([0, 0, 'closed'])
})
