import type { Clock } from '../core/clock.ts'
import { diagnostics } from '../core/diagnostics.ts'
import type { HoldfastError } from '../core/errors.ts'
import { Emitter } from '../core/events.ts'
import type { Guard, GuardContext, Permit, Refusal } from '../core/guard.ts'
import type { Verdict } from '../core/outcome.ts'
import { type Checked, changeBreaker } from './breaker-options.ts'
import { type ClosedEpoch, type Listening, newEpoch, Probe, UNHEARD } from './breaker-permits.ts'
import { Rare } from './breaker-rare.ts'
import type { BreakerEvents, BreakerState, BreakerStats, Isolation } from './breaker-readouts.ts'
import { isolatedRefusal, openRefusal, probingRefusal } from './breaker-refusals.ts'
import { type BreakerSnapshot, readSnapshot } from './breaker-snapshot.ts'
import { verdictOf } from './breaker-verdict.ts'
import type { Owner } from './managed.ts'
import { Ramp } from './ramp.ts'
import type { Tally, TallyCounts } from './tally.ts'
import { type Counting, countingOf, talliesFor, talliesOf } from './together.ts'

export class BreakerGuard implements Guard, Listening, Owner<BreakerStats, BreakerEvents> {
  readonly name: string
  #settings: Checked
  #counting: Counting
  /** Not null while closed. */
  #epoch: ClosedEpoch | null
  #more: Rare | null = null
  #succeeded = 0
  #failed = 0

  constructor(name: string, settings: Checked) {
    this.name = name
    this.#settings = settings
    this.#counting = countingOf(talliesFor(settings.trips, settings.timed === false ? 0 : settings.clock.nowMs()))
    this.#epoch = newEpoch(this)
  }

  get clock(): Clock {
    return this.#settings.clock
  }

  get timed(): boolean | 'leave' {
    return this.#settings.timed
  }

  get events(): Emitter<BreakerEvents> {
    this.#rare.emitter ??= new Emitter()
    return this.#rare.emitter
  }

  get #rare(): Rare {
    this.#more ??= new Rare(this.#settings.openMs)
    return this.#more
  }

  /** Open turns half-open when its time is over, whether or not a call has come by since; so does a ramp end. */
  get state(): BreakerState {
    return this.#isolated ? 'isolated' : this.#stateAt(this.clock.nowMs())
  }

  get #isolated(): boolean {
    return this.#more !== null && this.#more.isolations !== null
  }

  #stateAt(nowMs: number): Exclude<BreakerState, 'isolated'> {
    if (this.#epoch !== null) return 'closed'
    const { isolations, closedBeneath, ramp, probes, openUntilMs } = this.#rare
    if (isolations !== null && closedBeneath) return 'closed'
    if (ramp !== null) return ramp.shareAt(nowMs, this.#settings.rampMs) < 1 ? 'half-open' : 'closed'
    return probes === null && nowMs < openUntilMs ? 'open' : 'half-open'
  }

  stats(): BreakerStats {
    const nowMs = this.clock.nowMs()
    const { state } = this
    const { ramp = null, ignored = 0, refused = 0, opened = 0, openUntilMs = 0 } = this.#more ?? {}
    const rising = ramp?.shareAt(nowMs, this.#settings.rampMs) ?? 0
    return {
      state,
      succeeded: this.#succeeded,
      failed: this.#failed,
      ignored,
      refused,
      opened,
      openRemainingMs: state === 'open' ? openUntilMs - nowMs : 0,
      share: state === 'closed' ? 1 : rising,
    }
  }

  enter(_ctx?: GuardContext, nowMs = 0): Permit | Refusal {
    const epoch = this.#epoch
    if (epoch === null) return this.#enterNotClosed(this.clock.nowMs())
    return this.#counting.entered === undefined ? epoch : this.#watched(epoch, nowMs, false)
  }

  /** Calls in flight that hang are found when another one comes by; that may be enough to trip. */
  #watched(epoch: ClosedEpoch, nowMs: number, again: boolean): Permit | Refusal {
    if (this.#counting.entered?.(nowMs) !== true) return epoch
    this.#open(nowMs, again)
    return this.enter(undefined, nowMs)
  }

  #enterNotClosed(nowMs: number): Permit | Refusal {
    const rare = this.#rare
    if (rare.isolations !== null) {
      rare.refused += 1
      return isolatedRefusal(this.name)
    }
    const { ramp } = rare
    if (ramp !== null) {
      if (ramp.admits(nowMs, this.#settings.rampMs)) return this.#watched(ramp.epoch, nowMs, true)
      if (!ramp.over) return this.#refuse(ramp.refusal)
      this.#close(ramp.epoch)
      return this.enter(undefined, nowMs)
    }
    if (rare.probes === null) {
      if (nowMs < rare.openUntilMs) return this.#refuse(rare.refusal as HoldfastError)
      this.#halfOpen(rare)
    }
    for (const probe of rare.probes ?? [])
      if (nowMs - probe.startedMs >= this.#settings.probeTimeoutMs) {
        this.#open(nowMs, true)
        return this.enter(undefined, nowMs)
      }
    const { probes, proven } = rare
    // A listener of `halfOpened` made a call of its own, and that one has already decided.
    if (probes === null) return this.enter(undefined, nowMs)
    if (probes.size + proven >= this.#settings.probes)
      return this.#refuse(probingRefusal(this.name, probes.size, proven, this.#settings.probes))
    const probe = new Probe(this, nowMs)
    probes.add(probe)
    return probe
  }

  #refuse(error: HoldfastError): Permit | Refusal {
    this.#rare.refused += 1
    return this.#settings.metricsOnly ? UNHEARD : error
  }

  told(epoch: ClosedEpoch, ok: boolean, result: unknown, enteredMs: number, nowMs: number): void {
    const verdict = this.#count(ok, result)
    const ramping = epoch !== this.#epoch
    if (ramping && epoch !== this.#more?.ramp?.epoch) return
    if (verdict === 'ignore') this.#counting.ignored?.(enteredMs, nowMs)
    else if (this.#counting.record(verdict === 'failure', enteredMs, nowMs))
      this.#open(this.timed === false ? this.clock.nowMs() : nowMs, ramping)
  }

  probed(probe: Probe, ok: boolean, result: unknown): void {
    const judged = this.#count(ok, result)
    // Deleting fails for a probe of an earlier half-open period: its outcome decides nothing.
    const rare = this.#rare
    if (rare.probes?.delete(probe) !== true) return
    const nowMs = this.clock.nowMs()
    // Whether or not a call has come by since to notice that it hung.
    const hung = nowMs - probe.startedMs >= this.#settings.probeTimeoutMs
    const verdict = hung ? 'failure' : judged
    if (verdict === 'ignore') return
    if (verdict === 'failure') this.#open(nowMs, true)
    else if (++rare.proven >= this.#settings.probes) this.#recovered(nowMs)
  }

  #count(ok: boolean, result: unknown): Verdict {
    const verdict = verdictOf(this.#settings.classify, ok, result)
    if (verdict === 'success') this.#succeeded += 1
    else if (verdict === 'failure') this.#failed += 1
    else this.#rare.ignored += 1
    return verdict
  }

  /** Opens; `again` where it has not been closed since it was open, and stays so longer. */
  #open(nowMs: number, again: boolean): void {
    const { openMs, openMaxMs = openMs } = this.#settings
    this.#openFor(again ? Math.max(openMs, Math.min(this.#rare.openMs * 2, openMaxMs)) : openMs, nowMs)
  }

  #openFor(openMs: number, nowMs: number, remainingMs = openMs): void {
    const rare = this.#leaveState()
    rare.openMs = openMs
    rare.openUntilMs = nowMs + remainingMs
    rare.refusal = openRefusal(this.name, openMs, rare.openUntilMs, this.clock)
    rare.opened += 1
    this.#changed('opened', { openMs })
  }

  #leaveState(): Rare {
    const rare = this.#rare
    this.#epoch = null
    rare.ramp = null
    rare.probes = null
    return rare
  }

  #halfOpen(rare: Rare): void {
    rare.probes = new Set()
    rare.proven = 0
    this.#changed('halfOpened', {})
  }

  /** The probes have succeeded. */
  #recovered(nowMs: number): void {
    const { rampMs } = this.#settings
    this.#counting.reset(nowMs)
    if (rampMs === 0) {
      this.#close(newEpoch(this))
      return
    }
    this.#leaveState().ramp = new Ramp(this.name, newEpoch(this), nowMs)
    this.#changed('ramping', { rampMs })
  }

  #close(epoch: ClosedEpoch): void {
    this.#leaveState()
    this.#epoch = epoch
    this.#changed('closed', {})
  }

  close(): void {
    const closed = this.#epoch !== null
    if (this.#more !== null) this.#more.isolations = null
    this.#counting.reset(this.clock.nowMs())
    if (closed) this.#epoch = newEpoch(this)
    else this.#close(newEpoch(this))
  }

  isolate(isolation: Isolation): void {
    const rare = this.#rare
    const first = rare.isolations === null
    if (first) {
      rare.closedBeneath = this.#stateAt(this.clock.nowMs()) === 'closed'
      this.#leaveState()
      this.#counting.disown?.()
    }
    rare.isolations ??= new Set()
    rare.isolations.add(isolation)
    if (first) this.#changed('isolated', {})
  }

  release(isolation: Isolation): void {
    const rare = this.#rare
    if (rare.isolations?.delete(isolation) !== true || rare.isolations.size > 0) return
    rare.isolations = null
    if (rare.closedBeneath) this.#epoch = newEpoch(this)
    this.#changed('released', {})
  }

  snapshot(): BreakerSnapshot {
    const nowMs = this.clock.nowMs()
    const state = this.#stateAt(nowMs)
    const { openMs, openUntilMs } = this.#more ?? { openMs: this.#settings.openMs, openUntilMs: 0 }
    const openRemainingMs = state === 'open' ? openUntilMs - nowMs : 0
    return { version: 1, state, openRemainingMs, openMs, windows: talliesOf(this.#counting).map((tally) => tally.counts(nowMs)) }
  }

  restore(given: unknown): void {
    const { state, openRemainingMs, openMs, windows = [] } = readSnapshot(`circuitBreaker ${this.name}`, given)
    const nowMs = this.clock.nowMs()
    const { openMs: leastMs, openMaxMs = leastMs } = this.#settings
    const was = this.#stateAt(nowMs)
    this.#counting.reset(nowMs)
    const { trips } = this.#settings
    // Windows of other trips than these are no news of them.
    const fits = windows.length === trips.length && windows.every((counts, i) => counts.kind === trips[i]?.kind)
    if (fits) for (const [i, tally] of talliesOf(this.#counting).entries()) tally.restore(windows[i] as TallyCounts, nowMs)
    if (this.#more !== null) this.#more.closedBeneath = state === 'closed'
    if (state !== 'closed') this.#openFor(Math.max(leastMs, Math.min(openMs, openMaxMs)), nowMs, Math.min(openRemainingMs, openMaxMs))
    else if (this.#isolated) this.#leaveState()
    else if (was === 'closed') this.#epoch = newEpoch(this)
    else this.#close(newEpoch(this))
  }

  reconfigure(changes: object): void {
    const former = this.#settings
    const settings = changeBreaker(this.name, former, changes)
    this.#settings = settings
    if (settings.trips.length !== former.trips.length || settings.trips.some((trip, i) => trip !== former.trips[i])) this.#retally(former)
    const { probes = null, proven = 0 } = this.#more ?? {}
    if (probes !== null && proven > 0 && proven >= settings.probes) this.#recovered(this.clock.nowMs())
  }

  #retally(former: Checked): void {
    const nowMs = this.clock.nowMs()
    const tallies = talliesOf(this.#counting)
    const free = former.trips.map((trip, i) => ({ kind: trip.kind, tally: tallies[i] as Tally }))
    const fresh = talliesFor(this.#settings.trips, nowMs)
    for (const [i, { kind }] of this.#settings.trips.entries()) {
      const at = free.findIndex((each) => each.kind === kind)
      if (at >= 0) fresh[i]?.adopt((free.splice(at, 1)[0] as { tally: Tally }).tally, nowMs)
    }
    this.#counting = countingOf(fresh)
  }

  #changed<E extends keyof BreakerEvents>(event: E, more: Omit<BreakerEvents[E], 'name'>): void {
    this.#more?.emitter?.emit(event, { name: this.name, ...more } as BreakerEvents[E])
    if (diagnostics.policy.hasSubscribers) diagnostics.policy.publish({ policy: 'circuitBreaker', name: this.name, event, ...more })
  }
}
