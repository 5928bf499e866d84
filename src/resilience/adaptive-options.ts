import type { Clock } from '../core/clock.ts'
import { HoldfastError } from '../core/errors.ts'
import { checkOptions, invalidOption, type Read } from '../core/options.ts'
import type { Outcome, Verdict } from '../core/outcome.ts'
import { any, clock, durationMs, fn, optional, ratio, text, whole } from '../core/rules.ts'
import type { LimitAlgorithm } from './adaptive-algorithm.ts'
import { gradient2 } from './adaptive-gradient2.ts'
import {
  checkWaiting,
  type Checked as Queueing,
  type WaitingOptions,
  type WaitingSettings,
  waitingChanges,
  waitingRules,
} from './bulkhead-options.ts'

/** What `reconfigure` may change. */
export interface AdaptiveBulkheadSettings extends WaitingSettings {
  /** How the limit is found: `gradient2({ … })` or `aimd({ … })`; default `gradient2()`. Another one begins with the limit there is. */
  readonly algorithm?: LimitAlgorithm
  /** The limit never falls below it; a whole number of at least 1, default 1. */
  readonly concurrentMin?: number
  /** The limit never grows above it; at least `concurrentMin`, default 200. */
  readonly concurrentMax?: number
  /** How long calls are observed, at least, before the limit moves, in milliseconds; at least 1, default 1,000. */
  readonly windowMs?: number
  /** How many calls have to end, at least, before the limit moves; at least 1, default 10. */
  readonly windowCallsMin?: number
  /** The share of a window's calls that may be drops without cutting the limit: errors that load has not caused; 0 to 1, default 0.05. */
  readonly dropMaxShare?: number
  /**
   * How an outcome counts: `'success'` is a sample of latency, `'failure'` a drop (a timeout, an overload), `'ignore'` neither. Default:
   * results are samples and errors are drops, but for those of ours with effect none. Our refusals, `declined()` and calls whose caller gave up are
   * always ignored. Where it throws, or answers with anything but a verdict, results are samples and errors drops. Ready-made:
   * `httpFailures`, `postgresFailures`, `redisFailures`.
   */
  readonly classify?: (outcome: Outcome<unknown>) => Verdict
}

export interface AdaptiveBulkheadOptions extends AdaptiveBulkheadSettings, WaitingOptions {
  /** The limit to begin with; from `concurrentMin` to `concurrentMax`, default 20 or what of these is nearest. */
  readonly concurrentInitial?: number
  /** Stands for it in errors, events and diagnostics; default `adaptiveBulkhead`. */
  readonly name?: string
  readonly clock?: Clock
}

const isAlgorithm = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && typeof (value as LimitAlgorithm).seeker === 'function'

const own = {
  algorithm: any<LimitAlgorithm>('gradient2({ … }) or aimd({ … })', isAlgorithm, /* @__PURE__ */ gradient2()),
  concurrentMin: whole({ min: 1, default: 1 }),
  concurrentMax: whole({ min: 1, default: 200 }),
  windowMs: durationMs({ min: 1, default: 1_000 }),
  windowCallsMin: whole({ min: 1, default: 10 }),
  dropMaxShare: ratio({ default: 0.05 }),
  classify: fn<(outcome: Outcome<unknown>) => Verdict>(byEffect),
}
const rules = {
  ...own,
  ...waitingRules,
  concurrentInitial: optional(whole({ min: 1, default: 20 })),
  name: text('adaptiveBulkhead'),
  clock,
}
const changes = {
  algorithm: optional(own.algorithm),
  concurrentMin: optional(own.concurrentMin),
  concurrentMax: optional(own.concurrentMax),
  windowMs: optional(own.windowMs),
  windowCallsMin: optional(own.windowCallsMin),
  dropMaxShare: optional(own.dropMaxShare),
  classify: optional(own.classify),
  ...waitingChanges,
}

export type Seeking = Read<typeof own>
export type Checked = { readonly seeking: Seeking; readonly queueing: Queueing; readonly clock: Clock }
type Changes = { readonly seeking: Seeking; readonly waiting: Read<typeof waitingChanges> }

function byEffect(outcome: Outcome<unknown>): Verdict {
  if (outcome.ok) return 'success'
  return outcome.error instanceof HoldfastError && outcome.effect === 'none' ? 'ignore' : 'failure'
}

export function checkAdaptive(options: AdaptiveBulkheadOptions | undefined): Checked {
  const { concurrentInitial, queued, queueTimeoutMs, abandonedMax, order, name, clock, ...seeking } = checkOptions(
    'adaptiveBulkhead',
    options,
    rules,
  )
  inOrder('adaptiveBulkhead', seeking)
  const { concurrentMin, concurrentMax } = seeking
  const concurrent = concurrentInitial ?? Math.min(Math.max(20, concurrentMin), concurrentMax)
  if (concurrent < concurrentMin || concurrent > concurrentMax)
    throw invalidOption(
      'adaptiveBulkhead',
      'concurrentInitial',
      `from concurrentMin (${concurrentMin}) to concurrentMax (${concurrentMax})`,
      concurrent,
    )
  const queueing = { concurrent, queued, queueTimeoutMs, abandonedMax, order, name, clock }
  checkWaiting('adaptiveBulkhead', queueing)
  return { seeking, queueing, clock }
}

/** The settings with the changes in them, or a throw. */
export function changeAdaptive(name: string, former: Seeking, given: object): Changes {
  const owner = `adaptiveBulkhead ${name}`
  const { queued, queueTimeoutMs, abandonedMax, ...named } = checkOptions(owner, given, changes)
  const seeking = {
    ...former,
    ...(Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined)) as Partial<Seeking>),
  }
  inOrder(owner, seeking)
  return { seeking, waiting: { queued, queueTimeoutMs, abandonedMax } }
}

function inOrder(owner: string, { concurrentMin, concurrentMax }: Seeking): void {
  if (concurrentMin > concurrentMax) throw invalidOption(owner, 'concurrentMin', `at most concurrentMax (${concurrentMax})`, concurrentMin)
}
