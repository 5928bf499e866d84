// Retry, breaker, bulkhead and timeout in every order, under everything that a task and a caller can do.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  bulkhead,
  circuitBreaker,
  consecutive,
  createContext,
  HoldfastError,
  type Policy,
  policies,
  retry,
  timeout,
} from '../../src/index.ts'
import { type TestClock, testClock } from '../../src/testing/test-clock.ts'
import { boom, codeOf, countedSignal, errorOf, settled } from './support.ts'

const NAMES = ['retry', 'breaker', 'bulkhead', 'timeout'] as const
type Name = (typeof NAMES)[number]

const permutations = <T>(of: readonly T[]): T[][] =>
  of.length <= 1 ? [[...of]] : of.flatMap((each, n) => permutations(of.toSpliced(n, 1)).map((rest) => [each, ...rest]))
const orders = permutations(NAMES)

interface House {
  readonly clock: TestClock
  readonly breaker: ReturnType<typeof circuitBreaker>
  readonly slots: ReturnType<typeof bulkhead>
  readonly guard: Policy
}

function build(order: readonly Name[], trip = 3): House {
  const clock = testClock()
  const breaker = circuitBreaker({ trips: consecutive(trip), openMs: 70, probeTimeoutMs: 60, openMaxMs: 140, clock })
  const slots = bulkhead({ concurrent: 2, queued: 3 })
  const parts: Record<Name, Policy> = {
    retry: retry({ attempts: 3, delayMs: 20, elapsedMaxMs: 400, clock }),
    breaker,
    bulkhead: slots,
    timeout: timeout({ timeoutMs: 50, clock }),
  }
  return { clock, breaker, slots, guard: policies(...order.map((name) => parts[name])) }
}

type Fault = 'ok' | 'value' | 'error' | 'at once' | 'nothing' | 'slow' | 'hangs' | 'listens' | 'holds' | 'refused'
interface Step {
  readonly fault: Fault
  readonly passMs: number
  readonly abort: boolean
  readonly deadlineMs: number | undefined
}
const faults: readonly Fault[] = ['ok', 'value', 'error', 'at once', 'nothing', 'slow', 'hangs', 'listens', 'holds', 'refused']
const step: fc.Arbitrary<Step> = fc.record({
  fault: fc.constantFrom(...faults),
  passMs: fc.constantFrom(0, 0, 7, 33, 90),
  abort: fc.boolean(),
  deadlineMs: fc.constantFrom(undefined, undefined, 0, 25, 300),
})

/** Everything that runs, also what was abandoned. */
class Works {
  running = 0
  highest = 0
  constructor(readonly clock: TestClock) {}

  task(fault: Fault): (ctx: { readonly signal: AbortSignal; hold(work: PromiseLike<unknown>): void }) => unknown {
    return (ctx) => {
      if (fault === 'at once') throw new Error('at once')
      if (fault === 'value') return 'no promise'
      this.highest = Math.max(this.highest, ++this.running)
      if (fault !== 'holds') return this.#work(fault, ctx.signal).finally(() => void this.running--)
      ctx.hold(this.#after(200).finally(() => void this.running--))
      return Promise.resolve('held')
    }
  }

  async #work(fault: Fault, signal: AbortSignal): Promise<unknown> {
    if (fault === 'error') throw new Error('boom')
    if (fault === 'nothing') throw undefined
    if (fault === 'refused') throw new HoldfastError('BULKHEAD_FULL', 'elsewhere', { effect: 'none', retry: 'later' })
    if (fault === 'slow') await this.#after(40)
    if (fault === 'hangs') await this.#after(500)
    if (fault === 'listens')
      await new Promise<void>((resolve, reject) => {
        const timer = this.clock.setTimer(resolve, 500)
        signal.addEventListener('abort', () => {
          timer.clear()
          reject(signal.reason)
        })
      })
    return 'done'
  }

  #after(ms: number): Promise<void> {
    return new Promise((resolve) => void this.clock.setTimer(resolve, ms))
  }
}

const KNOWN = new Set<unknown>(['ok', 'ABORTED', 'BREAKER_OPEN', 'BULKHEAD_FULL', 'DEADLINE', 'TIMEOUT', undefined])

/**
 * How many works a slot may come to hold. A bulkhead counts what it admits: outside a retry whose attempts a timeout abandons, that is
 * the whole call, and up to three attempts of it go on at once.
 */
const worksPerSlot = (order: readonly Name[]): number => {
  const before = (a: Name, b: Name): boolean => order.indexOf(a) < order.indexOf(b)
  return before('bulkhead', 'retry') && before('retry', 'timeout') ? 3 : 1
}

test.each(orders.map((order) => [order.join(' > '), order] as const))(
  '%s leaves nothing behind',
  async (_, order) => {
    const perSlot = worksPerSlot(order)
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
        const { clock, slots, breaker, guard } = build(order)
        const works = new Works(clock)
        const parent = countedSignal()
        const calls = []
        for (const { fault, passMs, abort, deadlineMs } of steps) {
          const own = countedSignal()
          const deadline = deadlineMs === undefined ? {} : { timeoutMs: deadlineMs }
          const context = createContext({ clock, ...deadline, signal: abort ? own.signal : parent.signal })
          calls.push(guard.tryRun(works.task(fault), { context }))
          await clock.advance(passMs)
          if (abort) own.abort()
          expect(slots.running).toBeLessThanOrEqual(2)
          expect(slots.waiting).toBeLessThanOrEqual(3)
          expect(works.running).toBeLessThanOrEqual(slots.running * perSlot)
        }
        await clock.advance(10_000)
        for (const code of (await Promise.all(calls)).map(codeOf)) if (!(code instanceof Error)) expect(KNOWN).toContain(code)
        await settled()
        expect(works.highest).toBeLessThanOrEqual(2 * perSlot)
        expect([works.running, slots.running, slots.waiting, slots.abandoned, clock.pending, parent.listeners()]).toEqual([
          0, 0, 0, 0, 0, 0,
        ])
        // Whatever happened, it recovers: no permit of the breaker was lost either.
        await guard.tryRun(() => 'well')
        await clock.advance(1_000)
        expect(await guard.run(() => 'well')).toBe('well')
        expect(breaker.state).toBe('closed')
      }),
      { numRuns: 60 },
    )
  },
  60_000,
)

describe.each(orders.map((order) => [order.join(' > '), order] as const))('%s', (_, order) => {
  test('says no with a code, effect none, retry later, and numbers', async () => {
    const { clock, guard, breaker } = build(order, 1)
    const works = new Works(clock)
    // Too little for a retry to wait out anything.
    const hurried = () => createContext({ clock, timeoutMs: 9 })
    const calls = Array.from({ length: 6 }, () => guard.tryRun(works.task('hangs'), { context: hurried() }))
    await clock.advance(9)
    const outcomes = await Promise.all(calls)
    expect(outcomes.map(codeOf).sort()).toEqual(['BULKHEAD_FULL', ...Array(5).fill('DEADLINE')])
    const full = outcomes.find((outcome) => codeOf(outcome) === 'BULKHEAD_FULL') ?? { ok: true, value: undefined }
    expect(full).toMatchObject({
      effect: 'none',
      error: { effect: 'none', retry: 'later', message: 'bulkhead is full: 2 running, 3 of 3 waiting' },
    })
    await clock.advance(2_000)

    await guard.run(() => 'well', { context: hurried() })
    await guard.tryRun(boom, { context: hurried() })
    expect(breaker.state).toBe('open')
    let ran = false
    const refused = await guard.tryRun(
      () => {
        ran = true
      },
      { context: hurried() },
    )
    expect(ran).toBe(false)
    expect(refused).toMatchObject({ ok: false, effect: 'none' })
    expect(errorOf(refused)).toMatchObject({ code: 'BREAKER_OPEN', effect: 'none', retry: 'later', retryAfterMs: 70 })
    expect(errorOf(refused).message).toBe('breaker is open and lets nothing through for 70 ms')
  })
})
