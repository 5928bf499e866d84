import {
  ConsecutiveBreaker,
  circuitBreaker as cockatielBreaker,
  bulkhead as cockatielBulkhead,
  retry as cockatielRetry,
  timeout as cockatielTimeout,
  handleAll,
  SamplingBreaker,
  TimeoutStrategy,
} from 'cockatiel'
import {
  adaptiveBulkhead,
  bulkhead,
  cache,
  circuitBreaker,
  coalesce,
  consecutive,
  countWindow,
  createContext,
  fallback,
  hedge,
  keyed,
  policies,
  rateLimit,
  retry,
  slidingWindow,
  timeout,
  timeWindow,
  tokenBucket,
} from 'holdfast'
import Opossum from 'opossum'
import PQueue from 'p-queue'
import pRetry from 'p-retry'
import pTimeout from 'p-timeout'
import { suite } from './harness/suite.ts'

const task = async () => 1
const shared = new Error('shared')
const throwing = async () => {
  throw shared
}
const controller = new AbortController()

const inARow = circuitBreaker({ trips: consecutive(5) })
const windowed = circuitBreaker({ trips: timeWindow({ windowMs: 10_000 }) })
const windowedSlow = circuitBreaker({ trips: timeWindow({ windowMs: 10_000, slowCallMs: 1_000, slowRatio: 0.8 }) })
const slots = bulkhead({ concurrent: 100 })
const adaptiveSlots = adaptiveBulkhead({ concurrentInitial: 100 })
const again = retry({ attempts: 3 })
const limited = timeout({ timeoutMs: 30_000 })
const four = () =>
  policies(retry({ attempts: 3, delayMs: 10 }), circuitBreaker(), bulkhead({ concurrent: 100, queued: 10 }), timeout({ timeoutMs: 30_000 }))
const all = four()
const allSignalled = four()
const allTried = four()
const guards = policies(circuitBreaker(), bulkhead({ concurrent: 100, queued: 10 }))
const guardsTried = policies(circuitBreaker(), bulkhead({ concurrent: 100, queued: 10 }))

const hedged = hedge({ delayMs: 1_000 })
const perSecond = rateLimit({ limit: tokenBucket({ ratePerSecond: 1e9, burst: 1e6 }) })
const perWindow = rateLimit({ limit: slidingWindow({ calls: 100_000, windowMs: 1 }) })
const orNull = fallback(null)
const single = coalesce({ by: () => 'one' })
const perKey = keyed(() => circuitBreaker({ trips: consecutive(5) }), { by: 'host', keysMax: 1_000 })
const contexts = Array.from({ length: 1_000 }, (_, index) => ({ context: createContext({ keys: { host: `host ${index}` } }) }))
const keyless = circuitBreaker({ trips: consecutive(5) })

const cockatielInARow = cockatielBreaker(handleAll, { halfOpenAfter: 30_000, breaker: new ConsecutiveBreaker(5) })
const cockatielWindowed = cockatielBreaker(handleAll, {
  halfOpenAfter: 30_000,
  breaker: new SamplingBreaker({ threshold: 0.5, duration: 10_000, minimumRps: 1e9 }),
})
const cockatielSlots = cockatielBulkhead(100, 10)
const cockatielAgain = cockatielRetry(handleAll, { maxAttempts: 3 })
const cockatielLimited = cockatielTimeout(30_000, TimeoutStrategy.Aggressive)
const opossum = new Opossum(task, { timeout: false })
const pQueue = new PQueue({ concurrency: 100 })

async function opened() {
  const breaker = circuitBreaker({ trips: consecutive(1), openMs: 1e9 })
  await breaker.tryRun(throwing)
  return breaker
}
async function cached() {
  const kept = cache({ by: () => 'one', ttlMs: 1e9 })
  await kept.run(task)
  return kept
}
const inTurn = <T>(all: readonly T[]): (() => T) => {
  let at = 0
  return () => all[at++ % all.length] as T
}
const nextContext = inTurn(contexts)
const nextKeyless = inTurn(contexts)

/** Milliseconds from the start until `count` calls through one slot have all been answered. */
const drain = (count: number) => async (): Promise<number> => {
  const one = bulkhead({ concurrent: 1, queued: count })
  const startedMs = performance.now()
  await Promise.all(Array.from({ length: count }, () => one.run(task)))
  return performance.now() - startedMs
}
const loopOfAwaits = (count: number) => async (): Promise<number> => {
  const startedMs = performance.now()
  for (let i = 0; i < count; i++) await task()
  return performance.now() - startedMs
}
const burst = (call: () => Promise<unknown>) => async (): Promise<number> => {
  const startedMs = performance.now()
  await Promise.all(Array.from({ length: 10_000 }, call))
  return performance.now() - startedMs
}

const lastCalls = (calls: number) => countWindow({ calls, failureRatio: 1 })
const lastTenMinutes = timeWindow({ windowMs: 600_000, failureRatio: 1 })

/** Nanoseconds of one failing call while `known` calls are in the window. */
const failing = (known: number, trips: typeof lastTenMinutes) => ({
  make: async () => {
    const breaker = circuitBreaker({ trips })
    for (let i = 0; i < known; i++) await breaker.run(task)
    // Failures and successes in turn, so that it never trips.
    let calls = 0
    return () => breaker.tryRun(calls++ % 2 === 0 ? throwing : task)
  },
})

export default suite('resilience', {
  baselines: {
    'bare await': { fn: task },
    'throwing a shared error': { fn: throwing },
    'cockatiel breaker, consecutive': { fn: () => cockatielInARow.execute(task) },
    'cockatiel breaker, sampling': { fn: () => cockatielWindowed.execute(task) },
    'cockatiel bulkhead': { fn: () => cockatielSlots.execute(task) },
    'cockatiel retry': { fn: () => cockatielAgain.execute(task) },
    'cockatiel timeout': { fn: () => cockatielLimited.execute(task) },
    opossum: { fn: () => opossum.fire() },
    'p-queue': { fn: () => pQueue.add(task) },
    'p-retry': { fn: () => pRetry(task, { retries: 2 }) },
    'p-timeout': { fn: () => pTimeout(task(), { milliseconds: 30_000 }) },
    'a loop of 10 k awaits': { sample: loopOfAwaits(10_000) },
    'a loop of 100 k awaits': { sample: loopOfAwaits(100_000) },
    '10 k plain calls at once': { sample: burst(task) },
    'one failure with 10^3 calls in the window': failing(1_000, lastTenMinutes),
    'one failure with the last 10^3 calls in the window': failing(1_000, lastCalls(1_000)),
  },
  cases: [
    {
      name: 'breaker closed, consecutive',
      fn: () => inARow.run(task),
      against: ['bare await', 'cockatiel breaker, consecutive', 'opossum'],
      target: { ratio: 2.5, bytesMax: 600 },
    },
    {
      name: 'breaker closed, 10 s window',
      fn: () => windowed.run(task),
      against: ['bare await', 'cockatiel breaker, sampling', 'opossum'],
      target: { ratio: 4.8, bytesMax: 900 },
    },
    { name: 'breaker closed, 10 s window with slow calls', fn: () => windowedSlow.run(task), target: { ratio: 4.8, bytesMax: 900 } },
    {
      name: 'open, thrown',
      make: async () => {
        const breaker = await opened()
        return () => breaker.run(task)
      },
      against: ['throwing a shared error'],
      target: { ratio: 1.2 },
      throws: true,
    },
    {
      name: 'open, tryRun',
      make: async () => {
        const breaker = await opened()
        return () => breaker.tryRun(task)
      },
      against: ['throwing a shared error'],
      target: { ratio: 0.2 },
      throws: true,
    },
    {
      name: 'bulkhead, free slot',
      fn: () => slots.run(task),
      against: ['bare await', 'cockatiel bulkhead', 'p-queue'],
      target: { ratio: 2.5 },
    },
    { name: 'bulkhead, drain of 10 k queued', sample: drain(10_000), unit: 'ms', against: ['a loop of 10 k awaits'] },
    { name: 'bulkhead, drain of 100 k queued', sample: drain(100_000), unit: 'ms', against: ['a loop of 100 k awaits'] },
    { name: 'retry, success', fn: () => again.run(task), against: ['bare await', 'cockatiel retry', 'p-retry'], target: { ratio: 2.2 } },
    {
      name: 'timeout, signal untouched',
      fn: () => limited.run(task),
      against: ['bare await', 'cockatiel timeout', 'p-timeout'],
      target: { ratio: 6 },
    },
    { name: 'retry+breaker+bulkhead+timeout', fn: () => all.run(task), target: { ratio: 10, bytesMax: 1_300 } },
    { name: "the same with a caller's signal", fn: () => allSignalled.run(task, { signal: controller.signal }), target: { ratio: 18 } },
    { name: 'breaker+bulkhead', fn: () => guards.run(task) },
    { name: 'breaker+bulkhead, tryRun', fn: () => guardsTried.tryRun(task) },
    { name: 'retry+breaker+bulkhead+timeout, tryRun', fn: () => allTried.tryRun(task) },
    {
      name: 'open breaker+bulkhead+timeout, tryRun',
      make: async () => {
        const refusing = policies(await opened(), bulkhead(), timeout({ timeoutMs: 30_000 }))
        return () => refusing.tryRun(task)
      },
      against: ['throwing a shared error'],
      throws: true,
    },
    { name: 'hedge, not due', fn: () => hedged.run(task) },
    { name: 'rate limit, token bucket', fn: () => perSecond.run(task) },
    { name: 'rate limit, sliding window', fn: () => perWindow.run(task) },
    { name: 'fallback, not needed', fn: () => orNull.run(task) },
    { name: 'fallback, needed', fn: () => orNull.run(throwing), against: ['throwing a shared error'], throws: true },
    {
      name: 'cache, hit',
      make: async () => {
        const kept = await cached()
        return () => kept.run(task)
      },
    },
    { name: 'coalesce, alone', fn: () => single.run(task) },
    { name: 'a breaker, with a context', fn: () => keyless.run(task, nextKeyless()) },
    { name: 'keyed, one of 1 k breakers', fn: () => perKey.run(task, nextContext()) },
    {
      name: '10 k calls at once, each with a timeout',
      sample: burst(() => limited.run(task)),
      unit: 'ms',
      against: ['10 k plain calls at once'],
      target: { ratio: 5 },
    },
    {
      name: 'one failure with 10^6 calls in the window',
      ...failing(1_000_000, lastTenMinutes),
      against: ['one failure with 10^3 calls in the window'],
      target: { ratio: 1.2 },
    },
    {
      name: 'one failure with the last 10^5 calls in the window',
      ...failing(100_000, lastCalls(100_000)),
      against: ['one failure with the last 10^3 calls in the window'],
      target: { ratio: 1.2 },
    },
    { name: 'adaptive bulkhead, free slot', fn: () => adaptiveSlots.run(task), against: ['bare await'] },
  ],
})
