import type { Clock } from '../core/clock.ts'
import type { HoldfastError } from '../core/errors.ts'
import type { Emitter } from '../core/events.ts'
import type { Isolations } from './breaker-isolations.ts'
import type { Probe } from './breaker-permits.ts'
import type { BreakerEvents, BreakerState } from './breaker-readouts.ts'
import { openRefusal } from './breaker-refusals.ts'
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
  isolations: Isolations | null = null
  closedBeneath = false
  ignored = 0
  refused = 0
  opened = 0

  constructor(openMs: number) {
    this.openMs = openMs
  }

  /** Of a breaker that is not simply closed. */
  stateAt(nowMs: number, rampMs: number): Exclude<BreakerState, 'isolated'> {
    if (this.isolations !== null && this.closedBeneath) return 'closed'
    if (this.ramp !== null) return this.ramp.shareAt(nowMs, rampMs) < 1 ? 'half-open' : 'closed'
    return this.probes === null && nowMs < this.openUntilMs ? 'open' : 'half-open'
  }

  /** Of a breaker that is not simply closed: it has tripped, and no probe has succeeded since. */
  get failing(): boolean {
    return this.ramp === null && !(this.isolations !== null && this.closedBeneath)
  }

  leave(): void {
    this.ramp = null
    this.probes = null
  }

  open(name: string, openMs: number, untilMs: number, clock: Clock): void {
    this.openMs = openMs
    this.openUntilMs = untilMs
    this.refusal = openRefusal(name, openMs, untilMs, clock)
    this.opened += 1
  }

  halfOpen(): void {
    this.probes = new Set()
    this.proven = 0
  }
}
