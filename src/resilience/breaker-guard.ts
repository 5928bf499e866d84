import type { Clock } from '../core/clock.ts'
import { diagnostics } from '../core/diagnostics.ts'
import type { HoldfastError } from '../core/errors.ts'
import { Emitter } from '../core/events.ts'
import type { Guard, GuardContext, Permit, Refusal } from '../core/guard.ts'
import type { Verdict } from '../core/outcome.ts'
import { type Gate, Isolations } from './breaker-isolations.ts'
import { type Checked, changeBreaker } from './breaker-options.ts'
import { type ClosedEpoch, type Listening, newEpoch, Probe, UNHEARD } from './breaker-permits.ts'
import { Rare } from './breaker-rare.ts'
import type { BreakerEvents, BreakerState, BreakerStats, Isolation } from './breaker-readouts.ts'
import { isolatedRefusal, probingRefusal } from './breaker-refusals.ts'
import { type BreakerSnapshot, readSnapshot } from './breaker-snapshot.ts'
import { verdictOf } from './breaker-verdict.ts'
import type { Owner } from './managed.ts'
import { Ramp } from './ramp.ts'
import { type Counting, changedCounting, countingOf, restoreCounting, talliesFor, talliesOf } from './together.ts'

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
    const isolations = this.#more?.isolations ?? null
    if (isolations === null) return this.#stateAt(this.clock.nowMs())
    return isolations.gate === null ? 'isolated' : 'open'
  }

  /** It has tripped, and no probe has succeeded since; whether or not somebody has isolated it. */
  get failing(): boolean {
    return this.#epoch === null && this.#more !== null && this.#more.failing
  }

  /** How long it stays open, or stayed the last time. */
  get openMs(): number {
    return this.#more?.openMs ?? this.#settings.openMs
  }

  #stateAt(nowMs: number): Exclude<BreakerState, 'isolated'> {
    return this.#epoch === null ? this.#rare.stateAt(nowMs, this.#settings.rampMs) : 'closed'
  }

  stats(): BreakerStats {
    const nowMs = this.clock.nowMs()
    const { state } = this
    const { ramp = null, ignored = 0, refused = 0, opened = 0, openUntilMs = 0 } = this.#more ?? {}
    const share = state === 'closed' ? 1 : (ramp?.shareAt(nowMs, this.#settings.rampMs) ?? 0)
    const openRemainingMs = state === 'open' ? Math.max(0, openUntilMs - nowMs) : 0
    return { state, succeeded: this.#succeeded, failed: this.#failed, ignored, refused, opened, openRemainingMs, share }
  }

  enter(ctx: GuardContext, nowMs = 0): Permit | Refusal | Promise<Permit | Refusal> {
    const epoch = this.#epoch
    if (epoch === null) return this.#enterNotClosed(ctx, this.clock.nowMs())
    return this.#counting.entered === undefined ? epoch : this.#watched(epoch, ctx, nowMs, false)
  }

  /** Calls in flight that hang are found when another one comes by; that may be enough to trip. */
  #watched(epoch: ClosedEpoch, ctx: GuardContext, nowMs: number, again: boolean): Permit | Refusal | Promise<Permit | Refusal> {
    if (this.#counting.entered?.(nowMs) !== true) return epoch
    this.#open(nowMs, again)
    return this.enter(ctx, nowMs)
  }

  #enterNotClosed(ctx: GuardContext, nowMs: number): Permit | Refusal | Promise<Permit | Refusal> {
    const rare = this.#rare
    if (rare.isolations !== null) return this.#enterIsolated(rare.isolations.gate, ctx)
    const { ramp } = rare
    if (ramp !== null) {
      if (ramp.admits(nowMs, this.#settings.rampMs)) return this.#watched(ramp.epoch, ctx, nowMs, true)
      if (!ramp.over) return this.refuse(ramp.refusal)
      this.#close(ramp.epoch)
      return this.enter(ctx, nowMs)
    }
    if (rare.probes === null) {
      if (nowMs < rare.openUntilMs) return this.refuse(rare.refusal as HoldfastError)
      this.#halfOpen(rare)
    }
    for (const probe of rare.probes ?? [])
      if (nowMs - probe.startedMs >= this.#settings.probeTimeoutMs) {
        this.#open(nowMs, true)
        return this.enter(ctx, nowMs)
      }
    const { probes, proven } = rare
    // A listener of `halfOpened` made a call of its own, and that one has already decided.
    if (probes === null) return this.enter(ctx, nowMs)
    if (probes.size + proven >= this.#settings.probes)
      return this.refuse(probingRefusal(this.name, probes.size, proven, this.#settings.probes))
    const probe = new Probe(this, nowMs)
    probes.add(probe)
    return probe
  }

  #enterIsolated(gate: Gate | null, ctx: GuardContext): Permit | Refusal | Promise<Permit | Refusal> {
    if (gate !== null) return gate(ctx)
    this.#rare.refused += 1
    return isolatedRefusal(this.name)
  }

  /** Counts a refusal; with `metricsOnly` the call passes all the same. */
  refuse(error: HoldfastError): Permit | Refusal {
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
    this.#leaveState().open(this.name, openMs, nowMs + remainingMs, this.clock)
    this.#changed('opened', { openMs })
  }

  #leaveState(): Rare {
    const rare = this.#rare
    this.#epoch = null
    rare.leave()
    return rare
  }

  #halfOpen(rare: Rare): void {
    rare.halfOpen()
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

  /** With a gate it is `open` to those who ask, and tells nobody: whoever holds the gate does. */
  isolate(isolation: Isolation, gate: Gate | null = null): void {
    const rare = this.#rare
    const first = rare.isolations === null
    if (first) {
      rare.closedBeneath = this.#stateAt(this.clock.nowMs()) === 'closed'
      this.#leaveState()
      this.#counting.disown?.()
    }
    rare.isolations ??= new Isolations()
    rare.isolations.add(isolation, gate)
    if (first && gate === null) this.#changed('isolated', {})
  }

  release(isolation: Isolation): void {
    const rare = this.#rare
    const silent = rare.isolations?.gate !== null
    if (rare.isolations?.delete(isolation) !== true || rare.isolations.size > 0) return
    rare.isolations = null
    if (rare.closedBeneath) this.#epoch = newEpoch(this)
    if (!silent) this.#changed('released', {})
  }

  /** Half-open from now on, whatever it was; the next open period grows from `openMs`. */
  tryOut(openMs: number): void {
    const rare = this.#leaveState()
    rare.openMs = openMs
    this.#halfOpen(rare)
  }

  /** Somebody else's probes have succeeded: closed, by way of the ramp where there is one. */
  recover(): void {
    const nowMs = this.clock.nowMs()
    const rare = this.#rare
    rare.closedBeneath = true
    if (rare.isolations === null) this.#recovered(nowMs)
    else this.#counting.reset(nowMs)
  }

  snapshot(): BreakerSnapshot {
    const nowMs = this.clock.nowMs()
    const state = this.#stateAt(nowMs)
    const openRemainingMs = state === 'open' ? (this.#more?.openUntilMs ?? 0) - nowMs : 0
    return {
      version: 1,
      state,
      openRemainingMs,
      openMs: this.openMs,
      windows: talliesOf(this.#counting).map((tally) => tally.counts(nowMs)),
    }
  }

  restore(given: unknown): void {
    const { state, openRemainingMs, openMs, windows = [] } = readSnapshot(`circuitBreaker ${this.name}`, given)
    const nowMs = this.clock.nowMs()
    const { openMs: leastMs, openMaxMs = leastMs } = this.#settings
    const was = this.#stateAt(nowMs)
    this.#counting.reset(nowMs)
    restoreCounting(this.#counting, this.#settings.trips, windows, nowMs)
    if (this.#more !== null) this.#more.closedBeneath = state === 'closed'
    if (state !== 'closed') this.#openFor(Math.max(leastMs, Math.min(openMs, openMaxMs)), nowMs, Math.min(openRemainingMs, openMaxMs))
    else if (this.#more !== null && this.#more.isolations !== null) this.#leaveState()
    else if (was === 'closed') this.#epoch = newEpoch(this)
    else this.#close(newEpoch(this))
  }

  reconfigure(changes: object): void {
    const former = this.#settings
    const settings = changeBreaker(this.name, former, changes)
    this.#settings = settings
    this.#counting = changedCounting(this.#counting, former.trips, settings.trips, this.clock.nowMs())
    const { probes = null, proven = 0 } = this.#more ?? {}
    if (probes !== null && proven > 0 && proven >= settings.probes) this.#recovered(this.clock.nowMs())
  }

  #changed<E extends keyof BreakerEvents>(event: E, more: Omit<BreakerEvents[E], 'name'>): void {
    this.#more?.emitter?.emit(event, { name: this.name, ...more } as BreakerEvents[E])
    if (diagnostics.policy.hasSubscribers) diagnostics.policy.publish({ policy: 'circuitBreaker', name: this.name, event, ...more })
  }
}
