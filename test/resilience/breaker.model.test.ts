import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Verdict } from '../../src/core/outcome.ts'
import {
  type CircuitBreaker,
  circuitBreaker,
  consecutive,
  countWindow,
  declined,
  HoldfastError,
  type Outcome,
  type Trip,
  timeWindow,
} from '../../src/index.ts'
import { type TestClock, testClock } from '../../src/testing/test-clock.ts'
import { type Admission, BreakerModel, type ModelOptions, type ModelTrip } from './breaker-model.ts'
import { countedSignal, type Deferred, deferred, errorOf, settled } from './support.ts'

const refusedInside = new HoldfastError('BULKHEAD_FULL', 'full', { effect: 'none', retry: 'later' })
const late = new HoldfastError('TIMEOUT', 'late', { effect: 'unknown', retry: 'later' })
const endings: Record<string, { readonly verdict: Verdict; readonly end: (work: Deferred) => void }> = {
  ok: { verdict: 'success', end: (work) => work.resolve('ok') },
  error: { verdict: 'failure', end: (work) => work.reject(new Error('boom')) },
  status: { verdict: 'failure', end: (work) => work.reject({ status: 503 }) },
  nothing: { verdict: 'failure', end: (work) => work.reject(undefined) },
  timeout: { verdict: 'failure', end: (work) => work.reject(late) },
  refusal: { verdict: 'ignore', end: (work) => work.reject(refusedInside) },
  declined: { verdict: 'ignore', end: (work) => work.reject(declined('no')) },
}

type Command =
  | { readonly type: 'start' }
  | { readonly type: 'throw' }
  | { readonly type: 'end'; readonly which: number; readonly how: string }
  | { readonly type: 'abort'; readonly which: number }
  | { readonly type: 'pass'; readonly ms: number }

const which = fc.nat(7)
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant('start' as const) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('throw' as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({ type: fc.constant('end' as const), which, how: fc.constantFrom('ok', 'ok', 'error', ...Object.keys(endings)) }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('abort' as const), which }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('pass' as const), ms: fc.constantFrom(1, 10, 25, 50, 99, 100, 200, 1_000) }) },
)

const ratio = fc.constantFrom(0.1, 0.3, 0.5, 0.55, 0.7, 1)
const trip: fc.Arbitrary<ModelTrip> = fc.oneof(
  fc.record({ kind: fc.constant('consecutive' as const), failures: fc.integer({ min: 1, max: 3 }) }),
  fc
    .record({
      kind: fc.constant('count' as const),
      calls: fc.integer({ min: 1, max: 8 }),
      failureRatio: ratio,
      minimumCalls: fc.integer({ min: 1, max: 8 }),
    })
    .map((each) => ({ ...each, minimumCalls: Math.min(each.minimumCalls, each.calls) })),
  fc.record({
    kind: fc.constant('time' as const),
    windowMs: fc.constantFrom(50, 100, 1_000),
    failureRatio: ratio,
    minimumCalls: fc.integer({ min: 1, max: 4 }),
    slowCallMs: fc.constantFrom(10, 50, Number.POSITIVE_INFINITY),
    slowRatio: ratio,
  }),
)
const options: fc.Arbitrary<ModelOptions> = fc
  .record({
    trips: fc.array(trip, { minLength: 1, maxLength: 2 }),
    openMs: fc.constantFrom(10, 100),
    grows: fc.constantFrom(1, 3, 8),
    probes: fc.integer({ min: 1, max: 3 }),
    probeTimeoutMs: fc.constantFrom(50, 1_000),
  })
  .map(({ grows, ...each }) => ({ ...each, openMaxMs: each.openMs * grows }))

function realTrip(trip: ModelTrip): Trip {
  if (trip.kind === 'consecutive') return consecutive(trip.failures)
  const { kind, ...rest } = trip
  if (kind === 'count') return countWindow(rest as Parameters<typeof countWindow>[0])
  const { slowCallMs, slowRatio, ...others } = rest as Required<Parameters<typeof timeWindow>[0]>
  return timeWindow(slowCallMs === Number.POSITIVE_INFINITY ? others : { ...others, slowCallMs, slowRatio })
}

interface Out {
  readonly work: Deferred
  readonly admission: Admission
  readonly abort: () => void
  aborted: boolean
}

class Run {
  readonly clock: TestClock = testClock()
  readonly model: BreakerModel
  readonly breaker: CircuitBreaker
  readonly out: Out[] = []
  readonly changes: string[] = []
  /** The error of this open period, and which. */
  #refusal: { readonly error: unknown; readonly age: number } | undefined

  constructor(options: ModelOptions) {
    this.model = new BreakerModel(options)
    this.breaker = circuitBreaker({ ...options, trips: options.trips.map(realTrip), clock: this.clock, name: 'b' })
    this.breaker.on('opened', ({ openMs }) => {
      this.changes.push('open')
      expect(openMs).toBe(this.model.openMs)
    })
    this.breaker.on('halfOpened', () => this.changes.push('half-open'))
    this.breaker.on('closed', () => this.changes.push('closed'))
  }

  async do(command: Command): Promise<void> {
    if (command.type === 'pass') await this.clock.advance(command.ms)
    else if (command.type === 'start' || command.type === 'throw') await this.#start(command.type === 'throw')
    else {
      const call = this.out[command.which]
      if (call === undefined) return
      if (command.type === 'abort') {
        call.aborted = true
        call.abort()
      } else {
        const { verdict, end } = endings[command.how] as (typeof endings)[string]
        this.out.splice(command.which, 1)
        this.model.end(call.admission, call.aborted ? 'ignore' : verdict, this.clock.nowMs())
        end(call.work)
      }
    }
    await settled()
    this.check()
  }

  async #start(throws: boolean): Promise<void> {
    const nowMs = this.clock.nowMs()
    const expected = this.model.enter(nowMs)
    if (typeof expected !== 'string' && throws) this.model.end(expected, 'failure', nowMs)
    const work = deferred()
    const { signal, abort } = countedSignal()
    let ran = false
    const call = this.breaker.tryRun(
      () => {
        ran = true
        if (throws) throw new Error('at once')
        return work.promise
      },
      { signal },
    )
    await settled()
    expect(ran).toBe(typeof expected !== 'string')
    if (typeof expected === 'string') this.#refused(await call, expected)
    else if (!throws) this.out.push({ work, admission: expected, abort, aborted: false })
  }

  #refused(outcome: Outcome<unknown>, expected: 'open' | 'half-open'): void {
    const error = errorOf(outcome)
    expect(error).toMatchObject({ code: 'BREAKER_OPEN', effect: 'none', retry: 'later' })
    if (expected === 'half-open') {
      expect(error.message).toBe(
        `b is half-open: ${this.model.out.size} probing, ${this.model.succeeded} of ${this.model.options.probes} succeeded`,
      )
      return
    }
    expect(error.message).toBe(`b is open and lets nothing through for ${this.model.openMs} ms`)
    expect(error.retryAfterMs).toBe(this.model.untilMs - this.clock.nowMs())
    if (this.#refusal?.age === this.model.age) expect(error).toBe(this.#refusal.error)
    else expect(error).not.toBe(this.#refusal?.error)
    this.#refusal = { error, age: this.model.age }
  }

  check(): void {
    expect(this.breaker.state).toBe(this.model.stateAt(this.clock.nowMs()))
    expect(this.changes).toEqual(this.model.changes)
    expect(this.clock.pending).toBe(0)
  }
}

test('a circuit breaker answers like its model', async () => {
  await fc.assert(
    fc.asyncProperty(options, fc.array(command, { minLength: 20, maxLength: 60 }), async (options, commands) => {
      const run = new Run(options)
      for (const each of commands) await run.do(each)
    }),
    { numRuns: 250 },
  )
}, 60_000)
