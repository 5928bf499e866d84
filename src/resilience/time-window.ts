import { checkOptions, invalidOption } from '../core/options.ts'
import { durationMs, ratio, required, whole } from '../core/rules.ts'
import { sharedIfAlike } from './alike.ts'
import { BUCKETS } from './lane.ts'
import { SlowTally } from './slow-tally.ts'
import type { Tally, Trip } from './tally.ts'
import { TimeTally, type WindowTrip } from './time-tally.ts'

export interface TimeWindowOptions {
  /** How far back calls count, in milliseconds; at least 10. Kept in ten buckets: a call is forgotten after nine to ten tenths of it. */
  readonly windowMs: number
  /** Trips at this share of failures; above 0, at most 1, default 0.5. */
  readonly failureRatio?: number
  /** Not before this many calls are in the window; default 10. */
  readonly minimumCalls?: number
  /**
   * A call that takes longer is slow; default none is. One that is still out counts as slow too, as soon as another call comes by after at
   * most nine eighths of it: calls that hang cannot hide an outage. Those do not count for the failure ratio until they end.
   */
  readonly slowCallMs?: number
  /** Trips at this share of slow calls; above 0, at most 1, default 1; only beside `slowCallMs`. */
  readonly slowRatio?: number
}

/** Trips when calls of the last `windowMs` failed, or were slow, at the ratio. @throws {HoldfastError} `INVALID_OPTIONS` (effect none). */
export function timeWindow(options: TimeWindowOptions): Trip {
  const checked = checkOptions('timeWindow', options, {
    windowMs: required(durationMs({ min: BUCKETS, default: 10_000 })),
    failureRatio: ratio({ min: Number.MIN_VALUE, default: 0.5 }),
    minimumCalls: whole({ min: 1, default: 10 }),
    slowCallMs: { ...durationMs({ default: 0 }), absent: Number.POSITIVE_INFINITY },
    slowRatio: ratio({ min: Number.MIN_VALUE, default: 1 }),
  })
  if (options.slowRatio !== undefined && options.slowCallMs === undefined)
    throw invalidOption('timeWindow', 'slowRatio', 'given beside slowCallMs, without which no call is slow', options.slowRatio)
  const slow = checked.slowCallMs !== Number.POSITIVE_INFINITY
  return shared({ ...checked, kind: 'time-window', timed: slow ? true : 'leave', tally: slow ? slowTally : timeTally })
}

const shared = /* @__PURE__ */ sharedIfAlike<WindowTrip>()

function timeTally(this: WindowTrip, nowMs: number): Tally {
  return new TimeTally(this, nowMs)
}

function slowTally(this: WindowTrip, nowMs: number): Tally {
  return new SlowTally(this, nowMs)
}
