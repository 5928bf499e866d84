import type { Clock } from '../clock.ts'
import type { Guard } from '../guard.ts'
import { plainFrame } from './plain-frame.ts'
import { racingFrame } from './racing-frame.ts'
import { singleFrame } from './single-frame.ts'
import type { Next, Racer, Rescue } from './types.ts'
import { clockOf, wayOf, wayThrough } from './way.ts'

/** Runs `next` inside consecutive guards, outermost first, in one async frame. */
export function frame(guards: readonly Guard[], next: Next, rescue: Rescue | null): Next {
  const racerAt = guards.findIndex((guard) => guard.races === true)
  const [only] = guards
  if (racerAt < 0 && guards.length === 1 && only !== undefined) return singleFrame(wayOf(only), only, next)
  const racer = racerAt < 0 ? null : (guards[racerAt] as Racer)
  const shape = { ...wayThrough(guards), guards, racer, racerAt, rescue }
  return racer === null ? plainFrame(shape, next) : racingFrame(shape, next)
}

const onOneClock = (outer: Clock | undefined, inner: Clock | undefined): boolean =>
  outer === undefined || inner === undefined || outer === inner

/** Whether a guard may join the frame of the guards inside it: one clock, at most one racer. */
export const fuses = (outer: Guard, inner: readonly Guard[]): boolean =>
  onOneClock(clockOf([outer]), clockOf(inner)) && !(outer.races === true && inner.some((guard) => guard.races === true))
