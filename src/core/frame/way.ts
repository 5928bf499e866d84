import { type Clock, defaultClock } from '../clock.ts'
import type { Guard } from '../guard.ts'
import { type Meta, metaOn } from '../meta.ts'

/** How calls go through guards: what of it is the same for all guards of a kind, so that ten thousand of them share it. */
export interface Way {
  /** Whether the clock is read on the way in, and when the work has ended. */
  readonly timed: boolean
  readonly timedLeave: boolean
  readonly keeps: boolean
  readonly clock: Clock
  /** What the context of a call begins with that came without one. */
  readonly meta: Meta
}

export function wayThrough(guards: readonly Guard[]): Way {
  const clock = clockOf(guards) ?? defaultClock
  return {
    timed: guards.some(({ timed }) => timed === true || timed === 'enter'),
    timedLeave: guards.some(({ timed }) => timed === true || timed === 'leave'),
    keeps: guards.some(({ keeps }) => keeps === true),
    clock,
    meta: metaOn(clock),
  }
}

const known = /* @__PURE__ */ new WeakMap<Clock, Way[]>()

/** The way through one guard alone. */
export function wayOf(guard: Guard): Way {
  const clock = clockOf([guard]) ?? defaultClock
  const { timed, keeps } = guard
  const kind = (timed === true ? 6 : timed === 'enter' ? 4 : timed === 'leave' ? 2 : 0) + (keeps === true ? 1 : 0)
  const ways = known.get(clock) ?? []
  if (ways.length === 0) known.set(clock, ways)
  const way = ways[kind] ?? wayThrough([guard])
  ways[kind] = way
  return way
}

/** The clock that guards ask for; undefined where none of them cares what time it is. */
export const clockOf = (guards: readonly Guard[]): Clock | undefined => {
  for (const { clock, timed } of guards) if (clock !== undefined || (timed ?? false) !== false) return clock ?? defaultClock
  return undefined
}
