import type { HoldfastError } from '../core/errors.ts'
import type { Emitter } from '../core/events.ts'
import type { Probe } from './breaker-permits.ts'
import type { BreakerEvents, Isolation } from './breaker-readouts.ts'
import type { Ramp } from './ramp.ts'

/** What few breakers need, of ten thousand of them: those that have been anything but closed, or are listened to. Made when the first of it is. */
export class Rare {
  emitter: Emitter<BreakerEvents> | null = null
  /** Not null while the share of calls grows. */
  ramp: Ramp | null = null
  /** Not null while half-open: the probes that are out. */
  probes: Set<Probe> | null = null
  proven = 0
  /** Not null once it has been open. */
  refusal: HoldfastError | null = null
  openUntilMs = 0
  openMs: number
  /** Not null while isolated: who asked for it. */
  isolations: Set<Isolation> | null = null
  closedBeneath = false
  ignored = 0
  refused = 0
  opened = 0

  constructor(openMs: number) {
    this.openMs = openMs
  }
}
