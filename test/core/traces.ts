// Compositions that write down all that happens to their guards, under virtual time.
import fc from 'fast-check'
import type { Clock } from '../../src/core/clock.ts'
import { insertion } from '../../src/core/compose.ts'
import type { Context } from '../../src/core/context.ts'
import { createContext } from '../../src/core/create-context.ts'
import { HoldfastError, refusal } from '../../src/core/errors.ts'
import type { Guard, GuardContext, Permit, Refusal } from '../../src/core/guard.ts'
import { guard } from '../../src/core/guard-policy.ts'
import type { Recovery } from '../../src/core/handler.ts'
import { makePolicy, policies, policy } from '../../src/core/policy.ts'
import { Waiting } from '../../src/core/waiting.ts'
import { fallback } from '../../src/resilience/fallback.ts'
import { retry } from '../../src/resilience/retry.ts'
import { timeout } from '../../src/resilience/timeout.ts'
import { type TestClock, testClock } from '../../src/testing/test-clock.ts'
import { countedSignal } from './support.ts'

export interface GuardPlan {
  readonly kind: 'guard'
  readonly foreign: boolean
  readonly keeps: boolean
  readonly timed: boolean | 'leave'
  readonly otherClock: boolean
  /** Where it is not timed: it has no clock at all. */
  readonly timeless: boolean
  readonly answer: 'permit' | 'refusal'
  /** Undefined: it answers at once. */
  readonly waitMs: number | undefined
  /** Whether it stops waiting when the caller gives up, as a bulkhead does. */
  readonly listens: boolean
}
export type PartPlan =
  | GuardPlan
  | { readonly kind: 'timeout'; readonly timeoutMs: number; readonly otherClock: boolean }
  | { readonly kind: 'retry' | 'fallback' | 'wrapper' }

export interface Plan {
  readonly parts: readonly PartPlan[]
  readonly work: 'ok' | 'throws' | 'throws at once' | 'value' | 'thenable' | 'callable thenable' | 'late ok' | 'late throw' | 'obeys'
  readonly workMs: number
  readonly holdMs: number | undefined
  readonly abortMs: number | undefined
  readonly deadlineMs: number | undefined
  readonly readsSignal: boolean
}

export interface Trace {
  /** Of each part: what happened to it, with the time. */
  readonly guards: readonly (readonly string[])[]
  /** The same of all together, in order: `part:event`. */
  readonly order: readonly string[]
  readonly answer: string
  readonly effect: string | undefined
  readonly answeredMs: number
  readonly begun: readonly string[]
  readonly keys: number
  readonly left: { readonly timers: number; readonly listeners: number; readonly listenersAtMost: number }
}

// Durations end differently by kind, so that no two things fall on the same instant and no order among timers is assumed.
const ms = (max: number, tail: number) => fc.integer({ min: 0, max }).map((whole) => whole + tail)
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })

const guardPlan: fc.Arbitrary<GuardPlan> = fc.record({
  kind: fc.constant('guard' as const),
  foreign: fc.boolean(),
  keeps: fc.boolean(),
  timed: fc.constantFrom(true, false, 'leave' as const),
  otherClock: fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, fc.boolean()),
  timeless: fc.boolean(),
  answer: fc.oneof({ weight: 5, arbitrary: fc.constant('permit' as const) }, fc.constant('refusal' as const)),
  waitMs: fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, ms(30, 0.01)),
  listens: fc.oneof({ weight: 9, arbitrary: fc.constant(true) }, fc.constant(false)),
})
const timeoutPlan = fc.record({
  kind: fc.constant('timeout' as const),
  timeoutMs: ms(60, 1.0007),
  otherClock: fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, fc.boolean()),
})
const wrapPlan = fc.record({ kind: fc.constantFrom('retry' as const, 'fallback' as const, 'wrapper' as const) })

const planOf = (part: fc.Arbitrary<PartPlan>): fc.Arbitrary<Plan> =>
  fc.record({
    parts: fc.array(part, { maxLength: 7 }),
    work: fc.constantFrom('ok', 'throws', 'throws at once', 'value', 'thenable', 'callable thenable', 'late ok', 'late throw', 'obeys'),
    workMs: ms(50, 0.003),
    holdMs: maybe(ms(80, 0.0211)),
    abortMs: maybe(ms(90, 0.5)),
    deadlineMs: maybe(ms(90, 0.25)),
    readsSignal: fc.boolean(),
  })

export const guardsOnly = planOf(fc.oneof({ weight: 4, arbitrary: guardPlan }, { weight: 1, arbitrary: timeoutPlan }))
export const anything = planOf(
  fc.oneof({ weight: 4, arbitrary: guardPlan }, { weight: 2, arbitrary: timeoutPlan }, { weight: 1, arbitrary: wrapPlan }),
)

class GivesUp extends Waiting {
  constructor(readonly because: (reason: unknown) => void) {
    super()
  }
  abortedBy(reason: unknown): void {
    this.because(reason)
  }
}

export const named = (ok: boolean, result: unknown): string => {
  if (ok) return `ok ${String(result)}`
  return result instanceof HoldfastError ? result.code : String(result)
}

class Recorder {
  readonly order: string[] = []
  readonly guards: string[][]
  readonly begun: string[] = []
  readonly keys = new Set<string>()
  constructor(
    readonly clock: TestClock,
    parts: number,
  ) {
    this.guards = Array.from({ length: parts }, () => [])
  }
  note(part: number, what: string): void {
    this.order.push(`${part}:${what}`)
    this.guards[part]?.push(`${what} @${this.clock.nowMs()}`)
  }
}

/** The same time, told by another object: what is on different clocks is not fused. */
const other = (clock: TestClock): Clock => ({
  nowMs: () => clock.nowMs() + 1_000_000,
  epochMs: clock.epochMs,
  setTimer: clock.setTimer,
})

function probe(plan: GuardPlan, at: number, seen: Recorder, clock: Clock): Guard {
  const permit: Permit = {
    leave(ok, result, enteredMs, nowMs) {
      seen.note(at, `leave ${named(ok, result)}`)
      if (plan.timed === true && (nowMs !== clock.nowMs() || enteredMs > nowMs)) seen.note(at, `wrong times ${enteredMs} ${nowMs}`)
      if (plan.timed === 'leave' && nowMs !== clock.nowMs()) seen.note(at, `wrong time ${nowMs}`)
    },
    ...(plan.keeps && { release: () => seen.note(at, 'release') }),
  }
  const answer = (): Permit | Refusal => {
    if (plan.answer === 'permit') seen.note(at, 'admitted')
    return plan.answer === 'permit' ? permit : refusal('BULKHEAD_FULL', 'full', { retry: 'never' })
  }
  return {
    name: `g${at}`,
    timed: plan.timed,
    keeps: plan.keeps,
    ...(plan.timed === false && plan.timeless ? {} : { clock }),
    enter(ctx: GuardContext) {
      seen.note(at, 'enter')
      if (plan.waitMs === undefined) return answer()
      return new Promise((resolve) => {
        const waiter = new GivesUp((reason) => {
          timer.clear()
          resolve(refusal(reason instanceof HoldfastError ? (reason.code as 'TIMEOUT') : 'ABORTED', 'gave up', { retry: 'never' }))
        })
        const timer = seen.clock.setTimer(() => {
          if (plan.listens) ctx.unlisten(waiter)
          resolve(answer())
        }, plan.waitMs as number)
        if (plan.listens) ctx.listen(waiter)
      })
    },
  }
}

function made(part: PartPlan, at: number, seen: Recorder, clocks: { readonly own: Clock; readonly other: Clock }): Recovery<unknown> {
  switch (part.kind) {
    case 'guard': {
      const own = probe(part, at, seen, part.otherClock ? clocks.other : clocks.own)
      return part.foreign ? guard(own) : makePolicy([{ guard: own }])
    }
    case 'timeout':
      return timeout({ timeoutMs: part.timeoutMs, clock: part.otherClock ? clocks.other : clocks.own })
    case 'retry':
      return retry({ attempts: 2, delayMs: 3.00005, backoff: 'constant', clock: clocks.own })
    case 'fallback':
      return fallback('instead')
    case 'wrapper':
      return policy('wrapper', (next) => async (input, ctx) => {
        seen.note(at, 'in')
        try {
          return await next(input, ctx)
        } finally {
          seen.note(at, 'out')
        }
      })
  }
}

const thenable = (value: unknown, on: object): unknown =>
  Object.defineProperty(on, 'then', { value: (yes: (value: unknown) => void) => void Promise.resolve().then(() => yes(value)) })

function working(plan: Plan, seen: Recorder): (ctx: Context) => unknown {
  const later = (act: () => void) => void seen.clock.setTimer(act, plan.workMs)
  return (ctx) => {
    seen.begun.push(`${ctx.attempt} @${seen.clock.nowMs()}`)
    seen.keys.add(ctx.idempotencyKey)
    if (plan.readsSignal) void ctx.signal
    if (plan.holdMs !== undefined) ctx.hold(new Promise((resolve) => void seen.clock.setTimer(() => resolve(1), plan.holdMs as number)))
    switch (plan.work) {
      case 'ok':
        return Promise.resolve(1)
      case 'throws':
        return Promise.reject('broken')
      case 'throws at once':
        throw 'broken'
      case 'value':
        return 1
      case 'thenable':
        return thenable(1, {})
      case 'callable thenable':
        return thenable(1, () => {})
      case 'late ok':
        return new Promise((resolve) => later(() => resolve(1)))
      case 'late throw':
        return new Promise((_, reject) => later(() => reject('broken')))
      case 'obeys':
        return new Promise((resolve, reject) => {
          ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason), { once: true })
          later(() => resolve(1))
        })
    }
  }
}

/** How the parts are put together. */
export type Way = 'fused' | 'identity' | 'one by one' | 'in two halves'

function together(way: Way, parts: readonly Recovery<unknown>[], cut: number): Recovery<unknown> {
  if (way === 'in two halves') return policies(policies(...parts.slice(0, cut)), policies(), policies(...parts.slice(cut)))
  if (way === 'one by one') return parts.reduceRight<Recovery<unknown>>((inner, part) => policies(part, inner), policies())
  return policies(...parts)
}

/** Runs a plan once and says all that happened, up to the end of everything. */
export async function traceOf(plan: Plan, way: Way, cut = 0): Promise<Trace> {
  const clock = testClock()
  const seen = new Recorder(clock, plan.parts.length)
  const clocks = { own: clock, other: other(clock) }
  const parts = plan.parts.map((part, at) => made(part, at, seen, clocks))
  const counted = countedSignal()
  if (plan.abortMs !== undefined) clock.setTimer(() => counted.abort('gone'), plan.abortMs)
  const context = createContext({ clock, idempotencyKey: 'k', ...(plan.deadlineMs !== undefined && { timeoutMs: plan.deadlineMs }) })
  const options = plan.abortMs === undefined && plan.deadlineMs === undefined ? undefined : { context, signal: counted.signal }
  let answeredMs = Number.NaN
  const former = insertion.wrap
  insertion.wrap = way === 'identity' ? (next) => (input, ctx, quiet) => next(input, ctx, quiet) : null
  // Composed at the first call, so the insertion can go as soon as that has begun.
  const outcome = together(way, parts, cut).tryRun(working(plan, seen), options)
  insertion.wrap = former
  void outcome.then(() => {
    answeredMs = clock.nowMs()
  })
  await clock.advance(2_000)
  const end = await outcome
  return {
    guards: seen.guards,
    order: seen.order,
    answer: named(end.ok, end.ok ? end.value : end.error),
    effect: end.ok ? undefined : end.effect,
    answeredMs,
    begun: seen.begun,
    keys: seen.keys.size,
    left: { timers: clock.pending, listeners: counted.listeners, listenersAtMost: counted.most },
  }
}
