import fc from 'fast-check'
import { expect, test } from 'vitest'
import { consecutive, countWindow, timeWindow } from '../../src/index.ts'
import { ModelTally, type ModelTrip } from './breaker-model.ts'

interface Ended {
  readonly failed: boolean
  readonly tookMs: number
  /** Since the call before it. */
  readonly afterMs: number
  readonly thenReset: boolean
}

// Buckets of 10 ms: calls fall on their edges, one step beside them, a whole window apart and several at once.
const ended: fc.Arbitrary<Ended> = fc.record({
  failed: fc.boolean(),
  tookMs: fc.constantFrom(0, 9, 10, 11, 50),
  afterMs: fc.constantFrom(0, 0, 1, 5, 9, 10, 11, 15, 35, 89, 90, 91, 99, 100, 101, 109, 250),
  thenReset: fc.integer({ min: 0, max: 19 }).map((n) => n === 0),
})
const ratio = fc.constantFrom(0.2, 0.3, 0.5, 0.55, 0.7, 1)
const time: fc.Arbitrary<ModelTrip> = fc.record({
  kind: fc.constant('time' as const),
  windowMs: fc.constant(100),
  failureRatio: ratio,
  minimumCalls: fc.integer({ min: 1, max: 8 }),
  slowCallMs: fc.constantFrom(10, Number.POSITIVE_INFINITY),
  slowRatio: ratio,
})
const count: fc.Arbitrary<ModelTrip> = fc
  .record({ calls: fc.integer({ min: 1, max: 12 }), failureRatio: ratio, minimum: fc.integer({ min: 1, max: 12 }) })
  .map(({ minimum, ...each }) => ({ kind: 'count', ...each, minimumCalls: Math.min(minimum, each.calls) }))
const row: fc.Arbitrary<ModelTrip> = fc.record({ kind: fc.constant('consecutive' as const), failures: fc.integer({ min: 1, max: 5 }) })

function realTrip(trip: ModelTrip) {
  if (trip.kind === 'consecutive') return consecutive(trip.failures)
  const { failureRatio, minimumCalls } = trip
  if (trip.kind === 'count') return countWindow({ calls: trip.calls, failureRatio, minimumCalls })
  const { windowMs, slowCallMs, slowRatio } = trip
  const slow = slowCallMs === Number.POSITIVE_INFINITY ? {} : { slowCallMs, slowRatio }
  return timeWindow({ windowMs, failureRatio, minimumCalls, ...slow })
}

test.each([
  ['consecutive', row],
  ['countWindow', count],
  ['timeWindow', time],
] as const)('%s trips exactly when its model does, whatever came before', (_, trips) => {
  fc.assert(
    fc.property(trips, fc.nat(1_000), fc.array(ended, { minLength: 1, maxLength: 80 }), (trip, startMs, calls) => {
      const real = realTrip(trip).tally(startMs)
      const model = new ModelTally(trip, startMs)
      let nowMs = startMs
      for (const { failed, tookMs, afterMs, thenReset } of calls) {
        nowMs += afterMs
        expect(real.record(failed, tookMs, nowMs)).toBe(model.record(failed, tookMs, nowMs))
        if (!thenReset) continue
        real.reset(nowMs)
        model.reset(nowMs)
      }
    }),
    { numRuns: 1_000 },
  )
})

test.each([
  [timeWindow({ windowMs: 100 }), 'leave'],
  [timeWindow({ windowMs: 100, slowCallMs: 5 }), true],
  [consecutive(1), false],
  [countWindow({ calls: 1 }), false],
] as const)('says whether it looks at the clock (%#)', (trip, timed) => {
  expect(trip.timed).toBe(timed)
})

test('a window forgets a call after nine to ten tenths of it', () => {
  const outcomes = (ms: number) => {
    const tally = timeWindow({ windowMs: 100, minimumCalls: 2, failureRatio: 1 }).tally(0)
    tally.record(true, 0, 5)
    return tally.record(true, 0, ms)
  }
  expect([94, 99, 100, 105].map(outcomes)).toEqual([true, true, false, false])
})
