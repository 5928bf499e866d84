import { describe, expect, test } from 'vitest'
import {
  circuitBreaker,
  consecutive,
  countWindow,
  declined,
  failed,
  type Outcome,
  policies,
  timeout,
  timeWindow,
  type Verdict,
} from '../../src/index.ts'
import { testClock } from '../../src/testing/test-clock.ts'
import { boom, codeOf, deferred, settled } from './support.ts'

/** A breaker that one failure opens. */
const touchy = (classify?: (outcome: Outcome<unknown>) => Verdict) =>
  circuitBreaker({ trips: consecutive(1), openMs: 100, clock: testClock(), ...(classify && { classify }) })

describe('a classifier', () => {
  test('that throws costs nobody an answer: results succeed and errors fail', async () => {
    const breaker = touchy(() => boom())
    expect(await breaker.run(() => 'fine')).toBe('fine')
    expect(breaker.state).toBe('closed')
    await expect(breaker.run(() => Promise.reject(new Error('its own')))).rejects.toThrow('its own')
    expect(breaker.state).toBe('open')
  })

  test.each([undefined, null, 'failed', true, Promise.resolve('ignore')])(
    'that answers with rubbish (%j) is treated alike',
    async (rubbish) => {
      const breaker = touchy(() => rubbish as Verdict)
      await breaker.run(() => 'fine')
      expect(breaker.state).toBe('closed')
      await breaker.tryRun(boom)
      expect(breaker.state).toBe('open')
    },
  )

  test('sees results and errors, and may turn either', async () => {
    const seen: unknown[] = []
    const breaker = touchy((outcome) => {
      seen.push(outcome)
      return outcome.ok && outcome.value === 503 ? 'failure' : 'ignore'
    })
    await breaker.tryRun(boom)
    expect(breaker.state).toBe('closed')
    await breaker.run(() => 503)
    expect(breaker.state).toBe('open')
    expect(seen).toMatchObject([
      { ok: false, effect: 'unknown' },
      { ok: true, value: 503 },
    ])
  })

  test('is not asked about refusals, declined() and aborts, and is about failed()', async () => {
    const seen: unknown[] = []
    const breaker = touchy((outcome) => {
      seen.push(outcome)
      return 'failure'
    })
    await breaker.tryRun(() => Promise.reject(declined('no')))
    const inner = touchy()
    await inner.tryRun(boom)
    await breaker.tryRun(() => inner.run(() => 1))
    expect([seen.length, breaker.state]).toEqual([0, 'closed'])
    await breaker.tryRun(() => Promise.reject(failed('no')))
    expect([seen.length, breaker.state]).toEqual([1, 'open'])
  })

  test('ignoring a probe lets the next call probe', async () => {
    const clock = testClock()
    const breaker = circuitBreaker({ trips: consecutive(1), openMs: 100, clock })
    await breaker.tryRun(boom)
    await clock.advance(100)
    for (let n = 0; n < 3; n++) expect(codeOf(await breaker.tryRun(() => Promise.reject(declined('no'))))).toBe('DECLINED')
    expect(breaker.state).toBe('half-open')
    await breaker.run(() => 1)
    expect(breaker.state).toBe('closed')
  })
})

describe('windows trip at exactly their ratio', () => {
  // Those whose product with 100 misses the whole number by a rounding are among them.
  test.each([7, 14, 28, 29, 55, 56, 57, 58, 99, 100])('%i failures of 100', async (failures) => {
    for (const window of [
      countWindow,
      (o: { calls: number; failureRatio: number }) => timeWindow({ windowMs: 1_000, minimumCalls: o.calls, failureRatio: o.failureRatio }),
    ]) {
      const breaker = circuitBreaker({ trips: window({ calls: 100, failureRatio: failures / 100 }), clock: testClock() })
      for (let n = 0; n < 100 - failures; n++) await breaker.run(() => 1)
      for (let n = 0; n < failures - 1; n++) await breaker.tryRun(boom)
      expect(breaker.state).toBe('closed')
      await breaker.tryRun(boom)
      expect(breaker.state).toBe('open')
    }
  })

  test.each([
    [10, 'closed'],
    [10.001, 'open'],
  ])('and a call is slow when it takes longer than slowCallMs, not as long (%d ms)', async (ms, state) => {
    const clock = testClock()
    const breaker = circuitBreaker({ trips: timeWindow({ windowMs: 1_000, minimumCalls: 2, slowCallMs: 10, slowRatio: 1 }), clock })
    const calls = [1, 2].map(() => breaker.run(() => new Promise<void>((resolve) => void clock.setTimer(resolve, ms))))
    await clock.advance(ms)
    await Promise.all(calls)
    expect(breaker.state).toBe(state)
  })

  test.each([
    ['alone', [timeWindow({ windowMs: 100, minimumCalls: 2 })]],
    ['beside one that needs no clock', [consecutive(9), timeWindow({ windowMs: 100, minimumCalls: 2 })]],
    [
      'beside one that looks at durations',
      [timeWindow({ windowMs: 100, minimumCalls: 9, slowCallMs: 1 }), timeWindow({ windowMs: 100, minimumCalls: 2 })],
    ],
  ])('and what is older than the window is forgotten: %s', async (_, trips) => {
    const clock = testClock()
    const breaker = circuitBreaker({ trips, clock })
    for (let n = 0; n < 3; n++) {
      await breaker.tryRun(boom)
      await clock.advance(100)
    }
    expect(breaker.state).toBe('closed')
    await breaker.tryRun(boom)
    await breaker.tryRun(boom)
    expect(breaker.state).toBe('open')
  })

  test('the default opens when half of at least 10 calls in 10 s failed', async () => {
    const clock = testClock()
    const breaker = circuitBreaker({ clock })
    for (let n = 0; n < 4; n++) await breaker.run(() => 1)
    for (let n = 0; n < 5; n++) await breaker.tryRun(boom)
    expect(breaker.state).toBe('closed')
    await breaker.tryRun(boom)
    expect(breaker.state).toBe('open')
    await clock.advance(29_999)
    expect(breaker.state).toBe('open')
    await clock.advance(1)
    expect(breaker.state).toBe('half-open')
  })
})

describe('any of several trips opens it, and each sees every call', () => {
  test.each([
    ['the row', [consecutive(2), countWindow({ calls: 100 })]],
    ['the window', [consecutive(100), countWindow({ calls: 2, failureRatio: 1 })]],
    ['the timed window', [consecutive(100), timeWindow({ windowMs: 100, minimumCalls: 2 })]],
  ])('%s', async (_, trips) => {
    const breaker = circuitBreaker({ trips, clock: testClock() })
    await breaker.tryRun(boom)
    expect(breaker.state).toBe('closed')
    await breaker.tryRun(boom)
    expect(breaker.state).toBe('open')
  })

  test('a trip that is not the one that opened it starts afresh as well', async () => {
    const clock = testClock()
    const breaker = circuitBreaker({
      trips: [consecutive(2), countWindow({ calls: 4, failureRatio: 0.5, minimumCalls: 3 })],
      openMs: 10,
      clock,
    })
    for (let n = 0; n < 2; n++) await breaker.tryRun(boom)
    await clock.advance(10)
    await breaker.run(() => 1)
    await breaker.tryRun(boom)
    await breaker.run(() => 1)
    expect(breaker.state).toBe('closed')
    await breaker.run(() => 1)
    await breaker.tryRun(boom)
    expect(breaker.state).toBe('open')
  })
})

describe('a listener', () => {
  test.each(['throws', 'returns'] as const)('of halfOpened may make the probe itself (one that %s)', async (how) => {
    const clock = testClock()
    const breaker = circuitBreaker({ trips: consecutive(1), openMs: 100, clock })
    await breaker.tryRun(boom)
    const answers: unknown[] = []
    breaker.once('halfOpened', () => {
      void breaker.tryRun(how === 'throws' ? boom : () => 'own probe').then((outcome) => answers.push(codeOf(outcome)))
    })
    await clock.advance(100)
    expect(codeOf(await breaker.tryRun(() => 'caller'))).toBe('BREAKER_OPEN')
    await settled()
    expect(answers).toHaveLength(1)
    expect(breaker.state).toBe(how === 'throws' ? 'open' : 'closed')
  })

  test('hears each change once, until it stops listening', async () => {
    const clock = testClock()
    const breaker = circuitBreaker({ name: 'stock', trips: consecutive(1), openMs: 10, openMaxMs: 15, clock })
    const heard: unknown[] = []
    const offs = (['opened', 'halfOpened', 'closed'] as const).map((name) =>
      breaker.on(name, (event) => void heard.push({ [name]: event })),
    )
    await breaker.tryRun(boom)
    await clock.advance(10)
    await breaker.tryRun(boom)
    await clock.advance(15)
    await breaker.run(() => 1)
    await breaker.tryRun(boom)
    const name = 'stock'
    expect(heard).toEqual([
      { opened: { name, openMs: 10 } },
      { halfOpened: { name } },
      { opened: { name, openMs: 15 } },
      { halfOpened: { name } },
      { closed: { name } },
      { opened: { name, openMs: 10 } },
    ])
    for (const off of offs) off()
    await clock.advance(10)
    await breaker.run(() => 1)
    expect(heard).toHaveLength(6)
  })
})

test('inside a timeout it hears how late work ended, not that it was late', async () => {
  const clock = testClock()
  const seen: unknown[] = []
  const breaker = circuitBreaker({
    trips: consecutive(5),
    clock,
    classify: (outcome) => {
      seen.push(outcome.ok ? outcome.value : outcome.error)
      return 'ignore'
    },
  })
  const guard = policies(timeout({ timeoutMs: 10, clock }), breaker)
  const works = [deferred(), deferred()]
  const calls = works.map((work) => guard.tryRun(() => work.promise))
  await clock.advance(10)
  expect((await Promise.all(calls)).map(codeOf)).toEqual(['TIMEOUT', 'TIMEOUT'])
  expect(seen).toEqual([])
  works[0]?.resolve('late, but well')
  works[1]?.reject('late and broken')
  await settled()
  expect(seen).toEqual(['late, but well', 'late and broken'])
})

test('what a timeout inside cut short counts as a failure', async () => {
  const clock = testClock()
  const breaker = circuitBreaker({ trips: consecutive(1), clock })
  const call = policies(breaker, timeout({ timeoutMs: 10, clock })).tryRun(() => new Promise(() => {}))
  await clock.advance(10)
  expect(codeOf(await call)).toBe('TIMEOUT')
  expect(breaker.state).toBe('open')
})

test.each([undefined, null, 'a string', 5, { status: 503 }])('a thrown %j counts as an Error does', async (thrown) => {
  const breaker = touchy()
  expect(await breaker.tryRun(() => Promise.reject(thrown))).toEqual({ ok: false, error: thrown, effect: 'unknown' })
  expect(breaker.state).toBe('open')
})
