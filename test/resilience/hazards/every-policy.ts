import {
  adaptiveBulkhead,
  aimd,
  bulkhead,
  type CircuitBreaker,
  cache,
  chaos,
  circuitBreaker,
  coalesce,
  consecutive,
  fallback,
  gradient2,
  hedge,
  keyed,
  type Policy,
  rateLimit,
  retry,
  retryBudget,
  slidingWindow,
  timeout,
  timeWindow,
  tokenBucket,
} from '../../../src/index.ts'
import type { TestClock } from '../../../src/testing/test-clock.ts'

/** One of each policy on one clock, small enough that every bound is met, and what each holds while calls are in flight. */
export function everyPolicy(clock: TestClock) {
  const held: (() => Record<string, number>)[] = []
  const made: { readonly breakers: CircuitBreaker[]; readonly resize: ((size: number) => void)[] } = { breakers: [], resize: [] }
  const slots = (name: string) => {
    const it = bulkhead({ name, concurrent: 2, queued: 3, queueTimeoutMs: 40, clock })
    held.push(() => ({ [`${name} running`]: it.running, [`${name} waiting`]: it.waiting, [`${name} abandoned`]: it.abandoned }))
    made.resize.push((size) => it.reconfigure({ concurrent: size, abandonedMax: size % 2 }))
    return it
  }
  const adaptive = (name: string, algorithm: ReturnType<typeof aimd>) => {
    const it = adaptiveBulkhead({
      name,
      algorithm,
      concurrentInitial: 2,
      concurrentMax: 4,
      queued: 3,
      windowMs: 20,
      windowCallsMin: 2,
      clock,
    })
    held.push(() => ({ [`${name} running`]: it.running, [`${name} waiting`]: it.waiting, [`${name} abandoned`]: it.abandoned }))
    made.resize.push((size) => it.reconfigure({ concurrentMin: Math.min(size, 2), concurrentMax: size + 1 }))
    return it
  }
  const limited = (name: string, limit: ReturnType<typeof tokenBucket>) => {
    const it = rateLimit({ name, limit, queued: 2, clock })
    held.push(() => ({ [`${name} waiting`]: it.stats().waiting }))
    made.resize.push((size) => it.reconfigure({ queued: size }))
    return it
  }
  const breaker = (name: string) => {
    const it = circuitBreaker({
      name,
      trips: [consecutive(3), timeWindow({ windowMs: 100, slowCallMs: 50 })],
      openMs: 30,
      probeTimeoutMs: 40,
      clock,
    })
    made.breakers.push(it)
    return it
  }
  const single = coalesce({ by: 'key' })
  held.push(() => ({ 'coalesce running': single.stats().running }))
  const perKey = keyed((key) => slots(`keyed ${key}`), { by: (ctx) => ctx.keys.key ?? '', keysMax: 2, clock })
  made.resize.push((size) => perKey.reconfigure({ keysMax: size }))
  const each: Record<string, Policy> = {
    retry: retry({ attempts: 3, delayMs: 5, elapsedMaxMs: 200, budget: retryBudget({ clock }), clock }),
    circuitBreaker: breaker('breaker'),
    bulkhead: slots('bulkhead'),
    'adaptiveBulkhead, gradient2': adaptive('gradient2', gradient2()),
    'adaptiveBulkhead, aimd': adaptive('aimd', aimd({ latencyMaxMs: 10 })),
    timeout: timeout({ timeoutMs: 25, clock }),
    hedge: hedge({ delayMs: 10, hedgedMaxShare: 1, clock }),
    'rateLimit, bucket': limited('bucket', tokenBucket({ ratePerSecond: 500, burst: 2 })),
    'rateLimit, window': limited('window', slidingWindow({ calls: 3, windowMs: 10 })),
    cache: cache({ by: 'key', ttlMs: 10, staleIfErrorMs: 20, keysMax: 2, clock }),
    coalesce: single,
    chaos: chaos({ rate: 0.2, latencyMs: { min: 0, max: 30 }, seed: 1, clock }),
    keyed: perKey,
    fallback: fallback('instead') as unknown as Policy,
  }
  return {
    each,
    resize: (size: number): void => {
      for (const change of made.resize) change(size)
    },
    /** What is still held; empty when nothing is. */
    leaks: (): Record<string, number> =>
      Object.fromEntries(held.flatMap((now) => Object.entries(now())).filter(([, count]) => count !== 0)),
    breakers: made.breakers,
  }
}
