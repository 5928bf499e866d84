import {
  ConstantBackoff,
  circuitBreaker as cockatielBreaker,
  bulkhead as cockatielBulkhead,
  retry as cockatielRetry,
  timeout as cockatielTimeout,
  handleAll,
  SamplingBreaker,
  TimeoutStrategy,
  wrap,
} from 'cockatiel'
import { bulkhead, circuitBreaker, guard, type Permit, policies, policy, retry, timeout } from 'holdfast'
import Opossum from 'opossum'
import { suite } from './harness/suite.ts'

const task = async () => 1

const passThrough = (index: number) => policy(`pass ${index}`, (next) => (input, ctx) => next(input, ctx))
const asynchronous = (index: number) => policy(`async ${index}`, (next) => async (input, ctx) => next(input, ctx))
const permit: Permit = { leave() {}, release() {} }
const noOp = (index: number) => guard({ name: `guard ${index}`, enter: () => permit })
const times = <T>(count: number, create: (index: number) => T) => Array.from({ length: count }, (_, index) => create(index))

const passing = policies(...times(5, passThrough))
const awaiting = policies(...times(5, asynchronous))
const guarded = policies(...times(4, noOp))
const four = policies(
  retry({ attempts: 3, delayMs: 10 }),
  circuitBreaker(),
  bulkhead({ concurrent: 100, queued: 10 }),
  timeout({ timeoutMs: 30_000 }),
)

const cockatiel = wrap(
  cockatielRetry(handleAll, { maxAttempts: 3, backoff: new ConstantBackoff(10) }),
  cockatielBreaker(handleAll, {
    halfOpenAfter: 30_000,
    breaker: new SamplingBreaker({ threshold: 0.5, duration: 10_000, minimumRps: 1e9 }),
  }),
  cockatielBulkhead(100, 10),
  cockatielTimeout(30_000, TimeoutStrategy.Aggressive),
)
/** Breaker, bulkhead and timeout; it has no retry. */
const opossum = new Opossum(task, { timeout: 30_000, capacity: 100 })

export default suite('core', {
  baselines: {
    'bare await': { fn: task },
    'cockatiel retry+breaker+bulkhead+timeout': { fn: () => cockatiel.execute(task) },
    'opossum breaker+bulkhead+timeout': { fn: () => opossum.fire() },
  },
  cases: [
    { name: '5 pass-through layers', fn: () => passing.run(task), target: { ratio: 2 } },
    { name: '5 async layers', fn: () => awaiting.run(task), target: { ratio: 9 } },
    { name: '4 fused no-op guards', fn: () => guarded.run(task), target: { ratio: 5 } },
    {
      name: 'retry+breaker+bulkhead+timeout',
      fn: () => four.run(task),
      against: ['bare await', 'cockatiel retry+breaker+bulkhead+timeout', 'opossum breaker+bulkhead+timeout'],
      target: { ratio: 10, bytesMax: 1_300 },
    },
  ],
})
