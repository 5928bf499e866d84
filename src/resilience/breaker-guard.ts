import type { Clock } from '../core/clock.ts'
import { diagnostics } from '../core/diagnostics.ts'
import type { HoldfastError } from '../core/errors.ts'
import { Emitter } from '../core/events.ts'
import type { Guard, GuardContext, Permit, Refusal } from '../core/guard.ts'
import type { Verdict } from '../core/outcome.ts'
import { type Gate, Isolations } from './breaker-isolations.ts'
import { type Checked, changeBreaker, timedFor } from './breaker-options.ts'
import { ClosedEpoch, type Listening, Probe, UNHEARD } from './breaker-permits.ts'
import type { BreakerEvents, BreakerState, BreakerStats, Isolation } from './breaker-readouts.ts'
import { isolatedRefusal, openRefusal, probingRefusal } from './breaker-refusals.ts'
import { type BreakerSnapshot, readSnapshot } from './breaker-snapshot.ts'
import { Tallies } from './breaker-tallies.ts'
import { verdictOf } from './breaker-verdict.ts'
import type { Owner } from './managed.ts'
import { Ramp } from './ramp.ts'

export class BreakerGuard implements Guard, Listening, Owner<BreakerStats, BreakerEvents> {
  readonly name: string
  readonly clock: Clock
  readonly timed: boolean | 'leave'
  readonly events = new Emitter<BreakerEvents>()
  #settings: Checked
  readonly #tallies: Tallies
  /** Not null while closed. */
  #epoch: ClosedEpoch | null
  /** Not null while the share of calls grows. */
  #ramp: Ramp | null = null
  /** Not null while half-open: the probes that are out. */
  #probes: Set<Probe> | null = null
  #proven = 0
  /** Not null once it has been open. */
  #refusal: HoldfastError | null = null
  #openUntilMs = 0
  #openMs: number
  /** Not null while isolated: who asked for it. */
  #isolations: Isolations | null = null
  #closedBeneath = false
  #succeeded = 0
  #failed = 0
  #ignored = 0
  #refused = 0
  #opened = 0

  constructor(settings: Checked) {
    this.name = settings.name
    this.clock = settings.clock
    this.timed = timedFor(settings.trips)
    this.#settings = settings
    this.#openMs = settings.openMs
    this.#tallies = new Tallies(settings.trips, this.timed === false ? 0 : settings.clock.nowMs())
    this.#epoch = new ClosedEpoch(this)
  }

  /** Open turns half-open when its time is over, whether or not a call has come by since; so does a ramp end. */
  get state(): BreakerState {
    if (this.#isolations === null) return this.#stateAt(this.clock.nowMs())
    return this.#isolations.gate === null ? 'isolated' : 'open'
  }

  /** It has tripped, and no probe has succeeded since; whether or not somebody has isolated it. */
  get failing(): boolean {
    return this.#epoch === null && this.#ramp === null && !(this.#isolations !== null && this.#closedBeneath)
  }

  /** How long it stays open, or stayed the last time. */
  get openMs(): number {
    return this.#openMs
  }

  #stateAt(nowMs: number): Exclude<BreakerState, 'isolated'> {
    if (this.#epoch !== null || (this.#isolations !== null && this.#closedBeneath)) return 'closed'
    if (this.#ramp !== null) return this.#ramp.shareAt(nowMs, this.#settings.rampMs) < 1 ? 'half-open' : 'closed'
    return this.#probes === null && nowMs < this.#openUntilMs ? 'open' : 'half-open'
  }

  stats(): BreakerStats {
    const nowMs = this.clock.nowMs()
    const { state } = this
    const rising = this.#ramp?.shareAt(nowMs, this.#settings.rampMs) ?? 0
    return {
      state,
      succeeded: this.#succeeded,
      failed: this.#failed,
      ignored: this.#ignored,
      refused: this.#refused,
      opened: this.#opened,
      openRemainingMs: state === 'open' ? Math.max(0, this.#openUntilMs - nowMs) : 0,
      share: state === 'closed' ? 1 : rising,
    }
  }

  enter(ctx: GuardContext, nowMs = 0): Permit | Refusal | Promise<Permit | Refusal> {
    const epoch = this.#epoch
    if (epoch === null) return this.#enterNotClosed(ctx, this.clock.nowMs())
    return this.#tallies.watching ? this.#watched(epoch, ctx, nowMs, false) : epoch
  }

  /** Calls in flight that hang are found when another one comes by; that may be enough to trip. */
  #watched(epoch: ClosedEpoch, ctx: GuardContext, nowMs: number, again: boolean): Permit | Refusal | Promise<Permit | Refusal> {
    if (!this.#tallies.entered(nowMs)) return epoch
    this.#open(nowMs, again)
    return this.enter(ctx, nowMs)
  }

  #enterNotClosed(ctx: GuardContext, nowMs: number): Permit | Refusal | Promise<Permit | Refusal> {
    if (this.#isolations !== null) return this.#enterIsolated(this.#isolations.gate, ctx)
    const ramp = this.#ramp
    if (ramp !== null) {
      if (ramp.admits(nowMs, this.#settings.rampMs)) return this.#watched(ramp.epoch, ctx, nowMs, true)
      if (!ramp.over) return this.refuse(ramp.refusal)
      this.#close(ramp.epoch)
      return this.enter(ctx, nowMs)
    }
    if (this.#probes === null) {
      if (nowMs < this.#openUntilMs) return this.refuse(this.#refusal as HoldfastError)
      this.#halfOpen()
    }
    for (const probe of this.#probes ?? [])
      if (nowMs - probe.startedMs >= this.#settings.probeTimeoutMs) {
        this.#open(nowMs, true)
        return this.enter(ctx, nowMs)
      }
    const probes = this.#probes as Set<Probe> | null
    // A listener of `halfOpened` made a call of its own, and that one has already decided.
    if (probes === null) return this.enter(ctx, nowMs)
    if (probes.size + this.#proven >= this.#settings.probes)
      return this.refuse(probingRefusal(this.name, probes.size, this.#proven, this.#settings.probes))
    const probe = new Probe(this, nowMs)
    probes.add(probe)
    return probe
  }

  #enterIsolated(gate: Gate | null, ctx: GuardContext): Permit | Refusal | Promise<Permit | Refusal> {
    if (gate === null) {
      this.#refused += 1
      return isolatedRefusal(this.name)
    }
    return gate(ctx)
  }

  /** Counts a refusal; with `metricsOnly` the call passes all the same. */
  refuse(error: HoldfastError): Permit | Refusal {
    this.#refused += 1
    return this.#settings.metricsOnly ? UNHEARD : error
  }

  told(epoch: ClosedEpoch, ok: boolean, result: unknown, enteredMs: number, nowMs: number): void {
    const verdict = this.#count(ok, result)
    if (epoch !== this.#epoch && epoch !== this.#ramp?.epoch) return
    if (this.#tallies.told(verdict, enteredMs, nowMs)) this.#open(this.timed === false ? this.clock.nowMs() : nowMs, this.#ramp !== null)
  }

  probed(probe: Probe, ok: boolean, result: unknown): void {
    const judged = this.#count(ok, result)
    // Deleting fails for a probe of an earlier half-open period: its outcome decides nothing.
    if (this.#probes?.delete(probe) !== true) return
    const nowMs = this.clock.nowMs()
    // Whether or not a call has come by since to notice that it hung.
    const hung = nowMs - probe.startedMs >= this.#settings.probeTimeoutMs
    const verdict = hung ? 'failure' : judged
    if (verdict === 'ignore') return
    if (verdict === 'failure') this.#open(nowMs, true)
    else if (++this.#proven >= this.#settings.probes) this.#recovered(nowMs)
  }

  #count(ok: boolean, result: unknown): Verdict {
    const verdict = verdictOf(this.#settings.classify, ok, result)
    if (verdict === 'success') this.#succeeded += 1
    else if (verdict === 'failure') this.#failed += 1
    else this.#ignored += 1
    return verdict
  }

  /** Opens; `again` where it has not been closed since it was open, and stays so longer. */
  #open(nowMs: number, again: boolean): void {
    const { openMs, openMaxMs = openMs } = this.#settings
    this.#openFor(again ? Math.max(openMs, Math.min(this.#openMs * 2, openMaxMs)) : openMs, nowMs)
  }

  #openFor(openMs: number, nowMs: number, remainingMs = openMs): void {
    this.#openMs = openMs
    this.#openUntilMs = nowMs + remainingMs
    this.#leaveState()
    this.#refusal = openRefusal(this.name, openMs, this.#openUntilMs, this.clock)
    this.#opened += 1
    this.#changed('opened', { openMs })
  }

  #leaveState(): void {
    this.#epoch = null
    this.#ramp = null
    this.#probes = null
  }

  #halfOpen(): void {
    this.#probes = new Set()
    this.#proven = 0
    this.#changed('halfOpened', {})
  }

  /** The probes have succeeded. */
  #recovered(nowMs: number): void {
    const { rampMs } = this.#settings
    this.#tallies.reset(nowMs)
    if (rampMs === 0) {
      this.#close(new ClosedEpoch(this))
      return
    }
    this.#leaveState()
    this.#ramp = new Ramp(this.name, new ClosedEpoch(this), nowMs)
    this.#changed('ramping', { rampMs })
  }

  #close(epoch: ClosedEpoch): void {
    this.#leaveState()
    this.#epoch = epoch
    this.#changed('closed', {})
  }

  close(): void {
    const closed = this.#epoch !== null
    this.#isolations = null
    this.#tallies.reset(this.clock.nowMs())
    if (closed) this.#epoch = new ClosedEpoch(this)
    else this.#close(new ClosedEpoch(this))
  }

  /** With a gate it is `open` to those who ask, and tells nobody: whoever holds the gate does. */
  isolate(isolation: Isolation, gate: Gate | null = null): void {
    const first = this.#isolations === null
    if (first) {
      this.#closedBeneath = this.#stateAt(this.clock.nowMs()) === 'closed'
      this.#leaveState()
      this.#tallies.disown()
    }
    this.#isolations ??= new Isolations()
    this.#isolations.add(isolation, gate)
    if (first && gate === null) this.#changed('isolated', {})
  }

  release(isolation: Isolation): void {
    const silent = this.#isolations?.gate !== null
    if (this.#isolations?.delete(isolation) !== true || this.#isolations.size > 0) return
    this.#isolations = null
    if (this.#closedBeneath) this.#epoch = new ClosedEpoch(this)
    if (!silent) this.#changed('released', {})
  }

  /** Half-open from now on, whatever it was; the next open period grows from `openMs`. */
  tryOut(openMs: number): void {
    this.#leaveState()
    this.#openMs = openMs
    this.#halfOpen()
  }

  /** Somebody else's probes have succeeded: closed, by way of the ramp where there is one. */
  recover(): void {
    const nowMs = this.clock.nowMs()
    this.#closedBeneath = true
    if (this.#isolations === null) this.#recovered(nowMs)
    else this.#tallies.reset(nowMs)
  }

  snapshot(): BreakerSnapshot {
    const nowMs = this.clock.nowMs()
    const state = this.#stateAt(nowMs)
    const openRemainingMs = state === 'open' ? this.#openUntilMs - nowMs : 0
    return { version: 1, state, openRemainingMs, openMs: this.#openMs, windows: this.#tallies.counts(nowMs) }
  }

  restore(given: unknown): void {
    const { state, openRemainingMs, openMs, windows = [] } = readSnapshot(`circuitBreaker ${this.name}`, given)
    const nowMs = this.clock.nowMs()
    const { openMs: leastMs, openMaxMs = leastMs } = this.#settings
    const was = this.#stateAt(nowMs)
    this.#tallies.reset(nowMs)
    this.#tallies.restore(windows, nowMs)
    this.#closedBeneath = state === 'closed'
    if (state !== 'closed') this.#openFor(Math.max(leastMs, Math.min(openMs, openMaxMs)), nowMs, Math.min(openRemainingMs, openMaxMs))
    else if (this.#isolations !== null) this.#leaveState()
    else if (was === 'closed') this.#epoch = new ClosedEpoch(this)
    else this.#close(new ClosedEpoch(this))
  }

  reconfigure(changes: object): void {
    const settings = changeBreaker(this.#settings, changes)
    this.#settings = settings
    this.#tallies.change(settings.trips, this.clock.nowMs())
    if (this.#probes !== null && this.#proven > 0 && this.#proven >= settings.probes) this.#recovered(this.clock.nowMs())
  }

  #changed<E extends keyof BreakerEvents>(event: E, more: Omit<BreakerEvents[E], 'name'>): void {
    this.events.emit(event, { name: this.name, ...more } as BreakerEvents[E])
    if (diagnostics.policy.hasSubscribers) diagnostics.policy.publish({ policy: 'circuitBreaker', name: this.name, event, ...more })
  }
}
