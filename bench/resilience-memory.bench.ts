import {
  ConsecutiveBreaker,
  circuitBreaker as cockatielBreaker,
  bulkhead as cockatielBulkhead,
  timeout as cockatielTimeout,
  handleAll,
  SamplingBreaker,
  TimeoutStrategy,
} from 'cockatiel'
import { bulkhead, circuitBreaker, consecutive, type Policy, policies, retry, timeout, timeWindow } from 'holdfast'
import Opossum from 'opossum'
import PQueue from 'p-queue'
import { bytesEach, bytesInFlight, idleCpuMs, timersSet } from './harness/memory.ts'
import { suite } from './harness/suite.ts'

type Work = () => Promise<unknown>

const task = async () => 1
const rounds = 3
const breakers = 10_000
/** So many are made to measure what each keeps. */
const each = 4_000
const calls = 10_000

const inARow = () => circuitBreaker({ trips: consecutive(5) })
const windowed = () => circuitBreaker({ trips: timeWindow({ windowMs: 10_000 }) })
const named = (index: number) => circuitBreaker({ name: `host ${index}`, trips: timeWindow({ windowMs: 10_000 }) })
const slow = () => circuitBreaker({ trips: timeWindow({ windowMs: 10_000, slowCallMs: 1_000 }) })
const run = (policy: Policy) => policy.run(task)
const pending = (policy: Policy) => (work: Work) => policy.run(work)

const cockatielInARow = () => cockatielBreaker(handleAll, { halfOpenAfter: 30_000, breaker: new ConsecutiveBreaker(5) })
const cockatielWindowed = () =>
  cockatielBreaker(handleAll, {
    halfOpenAfter: 30_000,
    breaker: new SamplingBreaker({ threshold: 0.5, duration: 10_000, minimumRps: 1e9 }),
  })
const execute = (policy: { execute(work: Work): Promise<unknown> }) => policy.execute(task)

const opossum = () => new Opossum(task, { timeout: false })

const idle = (make: (index: number) => unknown) => ({ sample: () => bytesEach(each, make), rounds })
const used = <T>(make: (index: number) => T, use: (thing: T) => unknown) => ({ sample: () => bytesEach(each, make, use), rounds })
const inFlight = (through: (work: Work) => unknown) => ({ sample: () => bytesInFlight(calls, through), rounds })

/** What is measured while `count` things, each of which was used once, wait for more to do. */
const beside = <T>(count: number, make: (index: number) => T, use: (thing: T) => unknown, end?: (thing: T) => void) => {
  const filled = async (): Promise<T[]> => {
    const things = Array.from({ length: count }, (_, index) => make(index))
    for (const thing of things) await use(thing)
    return things
  }
  const ended = async (things: Promise<T[]>): Promise<void> => {
    if (end) for (const thing of await things) end(thing)
  }
  return {
    cpu: {
      rounds,
      sample: async () => {
        const things = filled()
        await things
        const value = await idleCpuMs()
        await ended(things)
        return value
      },
    },
    timers: {
      rounds,
      sample: async () => {
        let things: Promise<T[]> = Promise.resolve([])
        const value = await timersSet(() => {
          things = filled()
          return things
        })
        await ended(things)
        return value
      },
    },
  }
}

const ours = beside(breakers, named, run)
const theirs = beside(breakers, cockatielWindowed, execute)
const opossums = beside(
  1_000,
  opossum,
  (breaker) => breaker.fire(),
  (breaker) => breaker.shutdown(),
)

const slots = bulkhead({ concurrent: 1e6 })
const limited = timeout({ timeoutMs: 1e6 })
const all = policies(retry({ attempts: 3 }), circuitBreaker(), bulkhead({ concurrent: 1e6, queued: 10 }), timeout({ timeoutMs: 1e6 }))
const theirSlots = cockatielBulkhead(1e6, 0)
const theirLimit = cockatielTimeout(1e6, TimeoutStrategy.Aggressive)
const firing = new Opossum((work: Work) => work(), { timeout: false, capacity: 1e6 })

/** One after the other, however many wait. */
const oneByOne = () => {
  const one = bulkhead({ concurrent: 1, queued: 1e6 })
  return (work: Work) => one.run(work)
}
const queued = () => {
  const queue = new PQueue({ concurrency: 1 })
  return (work: Work) => queue.add(work)
}
const waiting = (through: () => (work: Work) => unknown) => ({ sample: () => bytesInFlight(calls, through()), rounds })

export default suite('resilience-memory', {
  baselines: {
    'a promise': idle(() => new Promise(() => {})),
    'cockatiel, consecutive': idle(cockatielInARow),
    'cockatiel, consecutive, after a call': used(cockatielInARow, execute),
    'cockatiel, sampling': idle(cockatielWindowed),
    'cockatiel, sampling, after a call': used(cockatielWindowed, execute),
    'opossum, after a call': { sample: () => bytesEach(500, opossum, (breaker) => breaker.fire()), rounds },
    'a bare call in flight': inFlight((work) => work()),
    'opossum, in flight': inFlight((work) => firing.fire(work)),
    'cockatiel bulkhead, in flight': inFlight((work) => theirSlots.execute(work)),
    'cockatiel timeout, in flight': inFlight((work) => theirLimit.execute(work)),
    'p-queue, waiting': waiting(queued),
    'a process with nothing to do': { sample: idleCpuMs, rounds },
    'beside 10 k of cockatiel': theirs.cpu,
    'beside 1 k of opossum': opossums.cpu,
    '1 k of opossum': opossums.timers,
  },
  cases: [
    {
      name: 'consecutive breaker',
      ...idle(inARow),
      unit: 'B',
      against: ['a promise', 'cockatiel, consecutive'],
      target: { valueMax: 600 },
    },
    {
      name: 'consecutive breaker, after a call',
      ...used(inARow, run),
      unit: 'B',
      against: ['a promise', 'cockatiel, consecutive, after a call', 'opossum, after a call'],
      target: { valueMax: 700 },
    },
    { name: 'windowed breaker', ...idle(windowed), unit: 'B', against: ['a promise', 'cockatiel, sampling'], target: { valueMax: 600 } },
    {
      name: 'windowed breaker, after a call',
      ...used(windowed, run),
      unit: 'B',
      against: ['a promise', 'cockatiel, sampling, after a call', 'opossum, after a call'],
      target: { valueMax: 600 },
    },
    { name: 'windowed breaker of its own name, after a call', ...used(named, run), unit: 'B', against: ['a promise'] },
    { name: 'windowed breaker with slow calls, after a call', ...used(slow, run), unit: 'B', against: ['a promise'] },
    {
      name: 'in flight through a breaker',
      ...inFlight(pending(windowed())),
      unit: 'B',
      against: ['a bare call in flight', 'opossum, in flight'],
      target: { valueMax: 800 },
    },
    {
      name: 'in flight through a bulkhead',
      ...inFlight(pending(slots)),
      unit: 'B',
      against: ['a bare call in flight', 'cockatiel bulkhead, in flight'],
      target: { valueMax: 800 },
    },
    {
      name: 'in flight through a retry',
      ...inFlight(pending(retry({ attempts: 3 }))),
      unit: 'B',
      target: { valueMax: 800 },
      against: ['a bare call in flight'],
    },
    {
      name: 'in flight through a timeout',
      ...inFlight(pending(limited)),
      unit: 'B',
      against: ['a bare call in flight', 'cockatiel timeout, in flight'],
      target: { valueMax: 1_300 },
    },
    {
      name: 'in flight through all four',
      ...inFlight(pending(all)),
      unit: 'B',
      against: ['a bare call in flight'],
      target: { valueMax: 1_300 },
    },
    {
      name: 'waiting in a bulkhead',
      ...waiting(oneByOne),
      unit: 'B',
      against: ['a bare call in flight', 'p-queue, waiting'],
      target: { valueMax: 800 },
    },
    {
      name: 'idle CPU beside 10 k breakers',
      ...ours.cpu,
      unit: 'ms/s',
      against: ['a process with nothing to do', 'beside 10 k of cockatiel', 'beside 1 k of opossum'],
      target: { valueMax: 5 },
    },
    {
      name: 'timers of 10 k breakers',
      ...ours.timers,
      unit: 'timers',
      against: ['1 k of opossum'],
      target: { valueMax: 0 },
    },
  ],
})
