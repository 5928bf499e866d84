import { describe, expect, test } from 'vitest'
import { createContext } from '../../src/core/create-context.ts'
import type { HoldfastErrorOptions } from '../../src/core/errors.ts'
import { declined, HoldfastError, refusal } from '../../src/core/errors.ts'
import { policies } from '../../src/core/policy.ts'
import { bulkhead } from '../../src/resilience/bulkhead.ts'
import { circuitBreaker } from '../../src/resilience/circuit-breaker.ts'
import { retry } from '../../src/resilience/retry.ts'
import { consecutive } from '../../src/resilience/trip.ts'
import { type TestClock, testClock } from '../../src/testing/test-clock.ts'

/** Fails with each of the errors in turn. */
const failing = (...errors: readonly unknown[]) => {
  const left = [...errors]
  return async (): Promise<never> => {
    throw left.shift()
  }
}

const lost = new HoldfastError('LOST_REPLY', 'sent, no answer', { effect: 'unknown', retry: 'later' })
const neverSent = (options: HoldfastErrorOptions = {}) => refusal('STORAGE_UNAVAILABLE', 'not reached', options)

test('a breaker that opens after an attempt with an unknown effect does not make it none', async () => {
  const clock = testClock()
  const guard = policies(
    retry({ attempts: 3, delayMs: 0, clock }),
    circuitBreaker({ trips: consecutive(1), clock }),
    bulkhead({ concurrent: 1 }),
  )
  const outcome = guard.tryRun(failing(lost))
  await clock.advance(1)
  expect(await outcome).toEqual({ ok: false, error: lost, effect: 'unknown' })
})

test('an attempt that was never sent says nothing about the attempt before it', async () => {
  const clock = testClock()
  const refusedByHost = Object.assign(new TypeError('fetch failed'), { cause: { code: 'ECONNREFUSED' } })
  const outcome = retry({ attempts: 2, delayMs: 10, clock }).tryRun(failing(lost, refusedByHost))
  await clock.advance(10)
  expect(await outcome).toEqual({ ok: false, error: lost, effect: 'unknown' })
})

test('the effect stays none where no attempt can have had one', async () => {
  const clock = testClock()
  const outcome = retry({ attempts: 3, delayMs: 10, clock }).tryRun(failing(neverSent(), neverSent(), neverSent()))
  await clock.advance(1_000)
  expect(await outcome).toMatchObject({ ok: false, effect: 'none' })
})

test('a definite no is the answer, whatever the attempts before it may have done', async () => {
  const clock = testClock()
  const no = declined('out of stock')
  const outcome = retry({ attempts: 3, delayMs: 10, clock }).tryRun(failing(lost, no))
  await clock.advance(10)
  expect(await outcome).toEqual({ ok: false, error: no, effect: 'none' })
})

describe('an abort while a refusal is waited out', () => {
  const patient = (clock: TestClock) => retry({ attempts: 3, delayMs: 10, elapsedMaxMs: 60_000, clock })
  const turnedAway = neverSent({ retryAfterMs: 1_000 })

  test('leaves the effect of an earlier attempt unknown', async () => {
    const clock = testClock()
    const caller = new AbortController()
    const outcome = patient(clock).tryRun(failing(lost, turnedAway), { signal: caller.signal })
    await clock.advance(50)
    caller.abort()
    expect(await outcome).toMatchObject({ ok: false, error: { code: 'ABORTED' }, effect: 'unknown' })
  })

  test.each([
    ['unknown', 'of an earlier attempt', [lost, turnedAway]],
    ['none', 'where there was no attempt', [turnedAway, turnedAway]],
  ])('says effect %s %s, also to a handler that nobody races', async (effect, _, errors) => {
    const clock = testClock()
    const caller = new AbortController()
    const handler = patient(clock)(failing(...errors))
    const answer = handler(undefined, createContext({ signal: caller.signal, clock })).catch((error: unknown) => error)
    await clock.advance(50)
    caller.abort()
    expect(await answer).toMatchObject({ code: 'ABORTED', effect, retry: 'never' })
  })
})
