import fc from 'fast-check'
import { expect, test } from 'vitest'
import { rateLimit, slidingWindow, tokenBucket } from '../../src/index.ts'
import { SharedBucket, type SharedState } from '../../src/resilience/shared-meters.ts'
import { mostIn, type Weather, world } from './shared-rate.ts'

const STORE_TIMEOUT_MS = 20

/** N processes with clocks of their own, a store that is late or loses answers, callers at any time: when calls passed, by the store's clock. */
async function played(options: {
  readonly limit: Parameters<typeof rateLimit>[0]['limit']
  readonly processes: number
  readonly whenStoreFails: 'local' | 'refuse'
  readonly queued: number
  readonly block: number
  readonly steps: readonly { readonly at: number; readonly calls: number; readonly pauseMs: number }[]
  readonly delays: readonly number[]
  readonly fates: readonly ('arrives' | 'lost' | 'unanswered')[]
}): Promise<number[]> {
  const { clock, through, shifted } = await world()
  let draw = 0
  const weather: Weather = {
    thereMs: () => options.delays[draw++ % options.delays.length] as number,
    backMs: () => options.delays[draw++ % options.delays.length] as number,
    fate: () => options.fates[draw++ % options.fates.length] as 'arrives',
  }
  const limits = Array.from({ length: options.processes }, (_, n) =>
    rateLimit({
      name: 'partner',
      limit: options.limit,
      store: through(weather),
      storeTimeoutMs: STORE_TIMEOUT_MS,
      whenStoreFails: options.whenStoreFails,
      queued: options.queued,
      block: options.block,
      clock: shifted(n * 1_234_567.8),
    }),
  )
  const passed: number[] = []
  const calls: Promise<unknown>[] = []
  for (const { at, calls: count, pauseMs } of options.steps) {
    for (let n = 0; n < count; n++)
      calls.push((limits[at % limits.length] as (typeof limits)[0]).tryRun(async () => void passed.push(clock.nowMs())))
    await clock.advance(pauseMs)
  }
  for (let round = 0; round < 400 && (await clock.next()); round++);
  await Promise.all(calls)
  return passed
}

const plays = {
  processes: fc.integer({ min: 1, max: 5 }),
  queued: fc.constantFrom(0, 3),
  block: fc.constantFrom(1, 4),
  steps: fc.array(
    fc.record({ at: fc.nat({ max: 4 }), calls: fc.integer({ min: 1, max: 5 }), pauseMs: fc.constantFrom(0, 1, 7, 33, 150, 12_000) }),
    { minLength: 5, maxLength: 40 },
  ),
  delays: fc.array(fc.constantFrom(0, 0, 0.4, 3, 15), { minLength: 1, maxLength: 7 }),
  fates: fc.array(fc.constantFrom('arrives' as const, 'arrives' as const, 'arrives' as const, 'lost' as const, 'unanswered' as const), {
    minLength: 1,
    maxLength: 9,
  }),
}

test('lets no more pass in any window than it says, all processes together, whatever the store does (property)', async () => {
  let total = 0
  await fc.assert(
    fc.asyncProperty(
      fc.record({ ...plays, calls: fc.integer({ min: 1, max: 12 }), windowMs: fc.constantFrom(50, 200, 1_000) }),
      async (play) => {
        const passed = await played({
          ...play,
          limit: slidingWindow({ calls: play.calls, windowMs: play.windowMs }),
          whenStoreFails: 'refuse',
        })
        total += passed.length
        expect(mostIn(passed, play.windowMs)).toBeLessThanOrEqual(play.calls)
      },
    ),
    { numRuns: 150 },
  )
  expect(total).toBeGreaterThan(150)
})

test('lets no more pass through a shared bucket than burst and rate allow, within the error it states (property)', async () => {
  let total = 0
  await fc.assert(
    fc.asyncProperty(
      fc.record({ ...plays, ratePerSecond: fc.constantFrom(5, 40, 200), burst: fc.integer({ min: 1, max: 20 }) }),
      async (play) => {
        const passed = await played({
          ...play,
          limit: tokenBucket({ ratePerSecond: play.ratePerSecond, burst: play.burst }),
          whenStoreFails: 'refuse',
        })
        total += passed.length
        for (const spanMs of [1, 50, 300, 2_000, 20_000]) {
          const most = play.burst + ((spanMs + 2 * STORE_TIMEOUT_MS + 10) * play.ratePerSecond) / 1_000
          expect(mostIn(passed, spanMs)).toBeLessThanOrEqual(most + 1e-6)
        }
      },
    ),
    { numRuns: 150 },
  )
  expect(total).toBeGreaterThan(150)
})

test('counts time once, however far apart those who take believe it to be', () => {
  const bucket = new SharedBucket(0.01, 5)
  let state: SharedState | undefined
  let taken = 0
  for (let ms = 0; ms < 10_000; ms += 200)
    for (const behindMs of [0, 20, 0, 20, 20]) {
      const leastMs = 1_000 + ms - behindMs
      const taking = bucket.take(state, { leastMs, mostMs: leastMs + 30 }, 1)
      taken += taking.taken
      state = taking.state ?? state
    }
  expect(taken).toBeLessThanOrEqual(5 + 0.01 * 10_000)
  expect(taken).toBeGreaterThan(95)
})

test('lets as many pass as the limit allows, less what exactness costs', async () => {
  const steps = Array.from({ length: 2_000 }, (_, n) => ({ at: n, calls: 2, pauseMs: 5 }))
  const calm = { processes: 4, queued: 0, block: 1, delays: [0.5], fates: ['arrives' as const], whenStoreFails: 'refuse' as const, steps }
  const windowed = await played({ ...calm, limit: slidingWindow({ calls: 20, windowMs: 1_000 }) })
  // Ten seconds: a call counts for 1,010 + 20 ms.
  expect(windowed.length).toBeGreaterThanOrEqual(180)
  expect(mostIn(windowed, 1_000)).toBe(20)
  const bucket = await played({ ...calm, limit: tokenBucket({ ratePerSecond: 20, burst: 20 }) })
  expect(bucket.length).toBeGreaterThanOrEqual(215)
  expect(bucket.length).toBeLessThanOrEqual(221)
})
