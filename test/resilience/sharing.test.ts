import { describe, expect, test } from 'vitest'
import { bulkhead, circuitBreaker, consecutive, countWindow, createContext, metrics, timeWindow } from '../../src/index.ts'
import { sharedIfAlike } from '../../src/resilience/alike.ts'
import { testClock } from '../../src/testing/test-clock.ts'
import { boom, codeOf, deferred, errorOf, settled } from './support.ts'

const codeIn = (answer: Promise<unknown>) =>
  answer.then(
    () => 'ok',
    (error) => error.code,
  )

describe('settings that say the same', () => {
  test('are the object that was made first', () => {
    const shared = sharedIfAlike<object>()
    const trip = consecutive(3)
    const first = shared({ openMs: 1, trips: [trip], openMaxMs: undefined })
    expect(shared({ openMs: 1, trips: [trip], openMaxMs: undefined })).toBe(first)
  })

  test.each([
    ['another value', { openMs: 2, trips: [1, 2] }],
    ['a member more', { openMs: 1, trips: [1, 2], more: 1 }],
    ['a member less', { openMs: 1 }],
    ['another member that is absent', { openMs: 1, absent: undefined }],
    ['another element', { openMs: 1, trips: [1, 3] }],
    ['an element more', { openMs: 1, trips: [1, 2, 3] }],
    ['an object in the place of a list', { openMs: 1, trips: { 0: 1, 1: 2 } }],
    ['a zero of another sign', { openMs: -0, trips: [1, 2] }],
  ])('%s is an object of its own', (_, other) => {
    const shared = sharedIfAlike<object>()
    shared({ openMs: 1, trips: [1, 2] })
    shared({ openMs: 0, trips: [1, 2] })
    expect(shared(other)).toBe(other)
  })

  test('only the latest eight are remembered', () => {
    const shared = sharedIfAlike<object>()
    const first = shared({ n: 0 })
    for (let n = 1; n < 8; n++) shared({ n })
    expect(shared({ n: 0 })).toBe(first)
    shared({ n: 8 })
    expect(shared({ n: 0 })).not.toBe(first)
  })

  test('trips of equal options are one, others are not', () => {
    expect(consecutive(7)).toBe(consecutive(7))
    expect(consecutive(7)).not.toBe(consecutive(8))
    expect(countWindow({ calls: 20 })).toBe(countWindow({ calls: 20, minimumCalls: 20 }))
    expect(timeWindow({ windowMs: 700 })).toBe(timeWindow({ windowMs: 700, failureRatio: 0.5 }))
    expect(timeWindow({ windowMs: 700 })).not.toBe(timeWindow({ windowMs: 700, slowCallMs: 5 }))
  })
})

describe('breakers made alike', () => {
  const made = (name: string) => circuitBreaker({ name, trips: timeWindow({ windowMs: 100, minimumCalls: 2 }), openMs: 1_000, clock })
  const clock = testClock()

  test('count, open and tell of it each by itself', async () => {
    const [one, other] = [made('one'), made('other')]
    const heard: string[] = []
    for (const breaker of [one, other]) breaker.on('opened', ({ name }) => void heard.push(name))
    for (let n = 0; n < 2; n++) await one.tryRun(boom)
    expect([one.state, other.state]).toEqual(['open', 'closed'])
    expect(heard).toEqual(['one'])
    expect(errorOf(await one.tryRun(() => 1)).message).toContain('one is open')
    expect(other.stats()).toMatchObject({ succeeded: 0, failed: 0, refused: 0, opened: 0 })
  })

  test('are reconfigured each by itself', async () => {
    const [one, other] = [made('one'), made('other')]
    one.reconfigure({ openMs: 5_000 })
    for (const breaker of [one, other]) for (let n = 0; n < 2; n++) await breaker.tryRun(boom)
    expect([one, other].map((breaker) => breaker.stats().openRemainingMs)).toEqual([5_000, 1_000])
  })
})

test('a breaker that was made with a window may go to trips that need no clock, and back', async () => {
  const clock = testClock()
  const breaker = circuitBreaker({ trips: timeWindow({ windowMs: 100, slowCallMs: 10, minimumCalls: 1 }), clock })
  breaker.reconfigure({ trips: consecutive(5) })
  breaker.reconfigure({ trips: timeWindow({ windowMs: 100, slowCallMs: 10, minimumCalls: 1 }) })
  const work = deferred()
  const slow = breaker.run(() => work.promise)
  await clock.advance(11)
  work.resolve(1)
  await slow
  expect(breaker.state).toBe('open')
})

test('slow calls of the window stay when only the ratio changes', async () => {
  const clock = testClock()
  const trip = (slowRatio: number) => timeWindow({ windowMs: 1_000, slowCallMs: 10, slowRatio, minimumCalls: 2 })
  const breaker = circuitBreaker({ trips: trip(1), clock })
  const call = async (tookMs: number) => {
    const work = deferred()
    const answer = breaker.run(() => work.promise)
    await clock.advance(tookMs)
    work.resolve(1)
    await answer
  }
  await call(11)
  await call(1)
  breaker.reconfigure({ trips: trip(0.6) })
  expect(breaker.snapshot().windows).toMatchObject([{ calls: 2, failures: 0, timed: 2, slow: 1 }])
  await call(11)
  expect(breaker.state).toBe('open')
})

test('of several trips, those that watch calls in flight watch them, and all count', async () => {
  const clock = testClock()
  const tripsFrom = (minimumCalls: number) => [consecutive(2), timeWindow({ windowMs: 1_000, slowCallMs: 10, minimumCalls })]
  const [hanging, failing] = [circuitBreaker({ trips: tripsFrom(1), clock }), circuitBreaker({ trips: tripsFrom(9), clock })]
  void hanging.run(() => new Promise(() => {}))
  await clock.advance(20)
  expect(codeOf(await hanging.tryRun(() => 1))).toBe('BREAKER_OPEN')
  for (let n = 0; n < 2; n++) await failing.tryRun(boom)
  expect(failing.state).toBe('open')
  expect(failing.snapshot().windows?.map(({ kind, failures }) => [kind, failures])).toEqual([
    ['consecutive', 2],
    ['time-window', 2],
  ])
})

test('a call that was given its slot and aborted in the same turn does not begin, and its slot is free again', async () => {
  const slots = bulkhead({ concurrent: 1, queued: 1 })
  const work = deferred()
  const first = slots.run(() => work.promise)
  const controller = new AbortController()
  const began: string[] = []
  // A handler, not `run`, which would keep the work from beginning by itself.
  const handler = slots(async (name: string) => void began.push(name))
  const second = codeIn(handler('second', createContext({ signal: controller.signal })))
  await settled()
  work.resolve(1)
  // The slot is handed over in a callback of this promise that was set before ours.
  await work.promise
  controller.abort()
  expect(await second).toBe('ABORTED')
  await first
  await settled()
  expect(began).toEqual([])
  expect(slots.stats()).toMatchObject({ admitted: 2, running: 0, waiting: 0, abandoned: 0 })
})

test('each policy is listed once, however many there are', () => {
  const many = Array.from({ length: 2_500 }, (_, n) => bulkhead({ name: `many ${n}` }))
  const listed = metrics().filter(({ name }) => name.startsWith('many '))
  expect(new Set(listed.map(({ name }) => name)).size).toBe(many.length)
  expect(listed.length).toBe(many.length)
  expect(listed.every(({ policy }) => policy === 'bulkhead')).toBe(true)
})
