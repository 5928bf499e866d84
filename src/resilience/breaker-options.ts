import type { Clock } from '../core/clock.ts'
import { checkOptions, invalidOption } from '../core/options.ts'
import type { Outcome, Verdict } from '../core/outcome.ts'
import { any, clock, durationMs, flag, fn, optional, text, whole } from '../core/rules.ts'
import { sharedIfAlike } from './alike.ts'
import { byOutcome } from './breaker-verdict.ts'
import type { Trip } from './tally.ts'
import { timeWindow } from './time-window.ts'

/** What `reconfigure` may change. */
export interface CircuitBreakerSettings {
  /** When it opens: one trip or several, any of which opens it. Default: half of at least 10 calls in 10 s failed. */
  readonly trips?: Trip | readonly Trip[]
  /** How long it stays open before it lets probes through; at least 1 ms, default 30,000. */
  readonly openMs?: number
  /** Each time it opens again before it closed it stays open twice as long, up to this; at least `openMs`, default `openMs`: it does not grow. */
  readonly openMaxMs?: number
  /** How many calls may probe at once while half-open, all of which have to succeed; at least 1, default 1. */
  readonly probes?: number
  /** A probe that has not ended after this long counts as failed; at least 1 ms, default 30,000. */
  readonly probeTimeoutMs?: number
  /**
   * After the probes have succeeded, the share of calls let through grows from a tenth to all in this time, in milliseconds; at least 0,
   * default 0: all at once. A trip meanwhile opens it again.
   */
  readonly rampMs?: number
  /**
   * How an outcome counts; default: errors fail. Our refusals, `declined()` and calls whose caller gave up are always ignored. Where it
   * throws, or answers with anything but a verdict, results succeed and errors fail. Ready-made: `httpFailures`, `postgresFailures`,
   * `redisFailures`.
   */
  readonly classify?: (outcome: Outcome<unknown>) => Verdict
  /** It counts, changes its state and tells of it, but lets through what it would refuse; default false. `isolate()` refuses all the same. */
  readonly metricsOnly?: boolean
}

export interface CircuitBreakerOptions extends CircuitBreakerSettings {
  /** Stands for it in errors, events and diagnostics; default `breaker`. */
  readonly name?: string
  readonly clock?: Clock
}

/** What breakers made alike share; `openMaxMs` undefined follows `openMs`. */
export interface Checked extends Omit<Required<CircuitBreakerOptions>, 'name' | 'openMaxMs' | 'trips'> {
  readonly openMaxMs: number | undefined
  readonly trips: readonly Trip[]
  /** How often a frame reads the clock, by the trips that the breaker was made with. */
  readonly timed: boolean | 'leave'
}

const isTrip = (value: unknown): boolean => typeof value === 'object' && value !== null && typeof (value as Trip).tally === 'function'

const changeable = {
  trips: any<Trip | readonly Trip[]>(
    'a trip or a non-empty array of trips: consecutive(), countWindow(), timeWindow()',
    (value) => (Array.isArray(value) ? value.length > 0 && value.every(isTrip) : isTrip(value)),
    /* @__PURE__ */ timeWindow({ windowMs: 10_000 }),
  ),
  openMs: durationMs({ min: 1, default: 30_000 }),
  openMaxMs: optional(durationMs({ min: 1, default: 30_000 })),
  probes: whole({ min: 1, default: 1 }),
  probeTimeoutMs: durationMs({ min: 1, default: 30_000 }),
  rampMs: durationMs({ default: 0 }),
  classify: fn(byOutcome),
  metricsOnly: flag(false),
}
const rules = { ...changeable, name: text('breaker'), clock }
const changes = Object.fromEntries(Object.entries(changeable).map(([name, rule]) => [name, { ...rule, absent: undefined }]))

const shared = /* @__PURE__ */ sharedIfAlike<Checked>()

export function checkBreaker(options: CircuitBreakerOptions | undefined): { readonly name: string; readonly settings: Checked } {
  const { name, trips: given, ...more } = checkOptions('circuitBreaker', options, rules)
  const trips = listOf(given)
  return { name, settings: shared(consistent('circuitBreaker', { ...more, trips, timed: TIMED[readings(trips)] ?? true })) }
}

/** The settings with the changes in them, or a throw. */
export function changeBreaker(name: string, former: Checked, given: object): Checked {
  const owner = `circuitBreaker ${name}`
  const { trips: changed, ...more } = checkOptions(owner, given, changes)
  const named = Object.fromEntries(Object.entries(more).filter(([, value]) => value !== undefined))
  const trips = changed === undefined ? former.trips : listOf(changed as Trip | readonly Trip[])
  const merged = consistent(owner, { ...former, ...named, trips })
  // The frames around it have been made, and read the clock as often as its first trips needed.
  if (readings(trips) > TIMED.indexOf(former.timed))
    throw invalidOption(owner, 'trips', 'no needier of the clock than those it was made with', trips.map(({ kind }) => kind).join(', '))
  return shared(merged)
}

function consistent(owner: string, settings: Checked): Checked {
  const { openMs, openMaxMs } = settings
  if (openMaxMs !== undefined && openMaxMs < openMs) throw invalidOption(owner, 'openMaxMs', `at least openMs (${openMs})`, openMaxMs)
  return inOneShape(settings)
}

/** Named one by one: spread together from others, the same object takes six times the memory. */
const inOneShape = (settings: Checked): Checked => ({
  trips: settings.trips,
  timed: settings.timed,
  openMs: settings.openMs,
  openMaxMs: settings.openMaxMs,
  probes: settings.probes,
  probeTimeoutMs: settings.probeTimeoutMs,
  rampMs: settings.rampMs,
  classify: settings.classify,
  metricsOnly: settings.metricsOnly,
  clock: settings.clock,
})

const listOf = (trips: Trip | readonly Trip[]): readonly Trip[] =>
  Array.isArray(trips) ? [...(trips as readonly Trip[])] : [trips as Trip]

const TIMED: readonly (boolean | 'leave')[] = [false, 'leave', true]

/** How often a frame has to read the clock for these. */
const readings = (trips: readonly Trip[]): number => Math.max(...trips.map(({ timed }) => TIMED.indexOf(timed)))
