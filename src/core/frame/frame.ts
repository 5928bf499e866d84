import { type Clock, defaultClock } from '../clock.ts'
import type { Guard } from '../guard.ts'
import { metaOn } from '../meta.ts'
import { plainFrame } from './plain-frame.ts'
import { racingFrame } from './racing-frame.ts'
import { singleFrame } from './single-frame.ts'
import type { Next, Racer, Rescue } from './types.ts'

/** Runs `next` inside consecutive guards, outermost first, in one async frame. */
export function frame(guards: readonly Guard[], next: Next, rescue: Rescue | null): Next {
  const racerAt = guards.findIndex((guard) => guard.races === true)
  const clock = clockOf(guards) ?? defaultClock
  const shape = {
    guards,
    timed: guards.some((guard) => guard.timed === true || guard.timed === 'enter'),
    timedLeave: guards.some((guard) => guard.timed === true || guard.timed === 'leave'),
    keeps: guards.some((guard) => guard.keeps === true),
    clock,
    meta: metaOn(clock),
    racer: racerAt < 0 ? null : (guards[racerAt] as Racer),
    racerAt,
    rescue,
  }
  if (racerAt >= 0) return racingFrame(shape, next)
  return guards.length === 1 ? singleFrame(shape, next) : plainFrame(shape, next)
}

/** The clock that guards ask for; undefined where none of them cares what time it is. */
const clockOf = (guards: readonly Guard[]): Clock | undefined => {
  for (const { clock, timed } of guards) if (clock !== undefined || (timed ?? false) !== false) return clock ?? defaultClock
  return undefined
}

const onOneClock = (outer: Clock | undefined, inner: Clock | undefined): boolean =>
  outer === undefined || inner === undefined || outer === inner

/** Whether a guard may join the frame of the guards inside it: one clock, at most one racer. */
export const fuses = (outer: Guard, inner: readonly Guard[]): boolean =>
  onOneClock(clockOf([outer]), clockOf(inner)) && !(outer.races === true && inner.some((guard) => guard.races === true))
