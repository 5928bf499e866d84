import type { Clock } from '../core/clock.ts'
import { diagnostics } from '../core/diagnostics.ts'
import { failedWith, succeeded } from '../core/effect.ts'
import { HoldfastError, refusal } from '../core/errors.ts'
import { Emitter } from '../core/events.ts'
import type { BoundLeave, Guard, GuardContext, Permit, Refusal } from '../core/guard.ts'
import type { Outcome, Verdict } from '../core/outcome.ts'
import type { Tally, Trip } from './trip.ts'

export type BreakerState = 'closed' | 'open' | 'half-open'

interface Change {
  readonly name: string
}
export type BreakerEvents = {
  readonly opened: Change & { readonly openMs: number }
  readonly halfOpened: Change
  readonly closed: Change
}

interface Settings {
  readonly name: string
  readonly trips: readonly Trip[]
  readonly openMs: number
  readonly openMaxMs: number
  readonly probes: number
  readonly probeTimeoutMs: number
  readonly classify: (outcome: Outcome<unknown>) => Verdict
  readonly clock: Clock
}

/** The permit of every call admitted while closed, until the breaker leaves that state: late outcomes find another epoch. */
class ClosedEpoch implements Permit {
  readonly bound: BoundLeave | undefined
  readonly #breaker: BreakerGuard
  constructor(breaker: BreakerGuard) {
    this.#breaker = breaker
    this.bound = breaker.timed === false ? this.#bind() : undefined
  }
  #bind(): BoundLeave {
    return {
      ok: (value) => {
        this.#breaker.told(this, true, value, 0, 0)
        return value
      },
      bad: (error) => {
        this.#breaker.told(this, false, error, 0, 0)
        throw error
      },
    }
  }
  leave(ok: boolean, result: unknown, enteredMs: number, nowMs: number): void {
    this.#breaker.told(this, ok, result, enteredMs, nowMs)
  }
}

/** The permit of one probe. */
class Probe implements Permit {
  readonly startedMs: number
  readonly #breaker: BreakerGuard
  constructor(breaker: BreakerGuard, startedMs: number) {
    this.#breaker = breaker
    this.startedMs = startedMs
  }
  leave(ok: boolean, result: unknown): void {
    this.#breaker.probed(this, ok, result)
  }
}

/** Codes that say nothing about the health of what is called. */
const SAYS_NOTHING = new Set<string>(['ABORTED', 'DECLINED'])

export class BreakerGuard implements Guard {
  readonly name: string
  readonly clock: Clock
  readonly timed: boolean | 'leave'
  readonly events = new Emitter<BreakerEvents>()
  readonly #settings: Settings
  readonly #tallies: readonly Tally[]
  #epoch: ClosedEpoch | null
  /** Not null while open. */
  #refusal: HoldfastError | null = null
  #openUntilMs = 0
  #openMs: number
  /** Not null while half-open: the probes that are out. */
  #probes: Set<Probe> | null = null
  #succeeded = 0

  constructor(settings: Settings) {
    this.name = settings.name
    this.clock = settings.clock
    this.timed =
      settings.trips.some((trip) => trip.timed === true) || (settings.trips.some((trip) => trip.timed === 'leave') ? 'leave' : false)
    this.#settings = settings
    this.#openMs = settings.openMs
    const nowMs = this.timed !== false ? settings.clock.nowMs() : 0
    this.#tallies = settings.trips.map((trip) => trip.tally(nowMs))
    this.#epoch = new ClosedEpoch(this)
  }

  /** Open turns half-open when its time is over, whether or not a call has come by since. */
  get state(): BreakerState {
    if (this.#epoch !== null) return 'closed'
    return this.#probes === null && this.clock.nowMs() < this.#openUntilMs ? 'open' : 'half-open'
  }

  enter(_ctx?: GuardContext): Permit | Refusal {
    return this.#epoch ?? this.#enterNotClosed(this.clock.nowMs())
  }

  #enterNotClosed(nowMs: number): Permit | Refusal {
    if (this.#probes === null) {
      if (nowMs < this.#openUntilMs) return this.#refusal as Refusal
      this.#halfOpen()
    }
    for (const probe of this.#probes ?? [])
      if (nowMs - probe.startedMs >= this.#settings.probeTimeoutMs) {
        this.#open(nowMs, true)
        return this.#refusal as Refusal
      }
    const probes = this.#probes as Set<Probe> | null
    // A listener of `halfOpened` made a call of its own, and that one has already decided.
    if (probes === null) return this.enter()
    if (probes.size + this.#succeeded >= this.#settings.probes) return this.#probing(probes.size)
    const probe = new Probe(this, nowMs)
    probes.add(probe)
    return probe
  }

  #probing(out: number): HoldfastError {
    const needed = `${this.#succeeded} of ${this.#settings.probes} succeeded`
    return refusal('BREAKER_OPEN', `${this.name} is half-open: ${out} probing, ${needed}`, { retryAfterMs: 100 })
  }

  told(epoch: ClosedEpoch, ok: boolean, result: unknown, enteredMs: number, nowMs: number): void {
    if (epoch !== this.#epoch) return
    const verdict = this.#verdict(ok, result)
    if (verdict === 'ignore') return
    let trip = false
    for (const tally of this.#tallies) trip = tally.record(verdict === 'failure', nowMs - enteredMs, nowMs) || trip
    if (trip) this.#open(this.timed === false ? this.clock.nowMs() : nowMs, false)
  }

  probed(probe: Probe, ok: boolean, result: unknown): void {
    // Deleting fails for a probe of an earlier half-open period: its outcome decides nothing.
    if (this.#probes?.delete(probe) !== true) return
    const nowMs = this.clock.nowMs()
    // Whether or not a call has come by since to notice that it hung.
    const hung = nowMs - probe.startedMs >= this.#settings.probeTimeoutMs
    const verdict = hung ? 'failure' : this.#verdict(ok, result)
    if (verdict === 'ignore') return
    if (verdict === 'failure') this.#open(nowMs, true)
    else if (++this.#succeeded >= this.#settings.probes) this.#close()
  }

  #verdict(ok: boolean, result: unknown): Verdict {
    if (!ok && result instanceof HoldfastError && (SAYS_NOTHING.has(result.code) || (result.effect === 'none' && result.retry === 'later')))
      return 'ignore'
    try {
      const verdict = this.#settings.classify(ok ? succeeded(result) : failedWith(result))
      if (verdict === 'success' || verdict === 'failure' || verdict === 'ignore') return verdict
    } catch {
      // A classifier that throws must not cost the caller its answer.
    }
    return ok ? 'success' : 'failure'
  }

  #open(nowMs: number, again: boolean): void {
    const { openMs, openMaxMs } = this.#settings
    this.#openMs = again ? Math.min(this.#openMs * 2, openMaxMs) : openMs
    this.#openUntilMs = nowMs + this.#openMs
    this.#epoch = null
    this.#probes = null
    this.#refusal = this.#refusalUntil(this.#openUntilMs)
    this.#changed('opened', { openMs: this.#openMs })
  }

  #refusalUntil(untilMs: number): HoldfastError {
    const { clock } = this
    const error = refusal('BREAKER_OPEN', `${this.name} is open and lets nothing through for ${this.#openMs} ms`)
    return Object.defineProperty(error, 'retryAfterMs', { get: () => Math.max(0, untilMs - clock.nowMs()), enumerable: true })
  }

  #halfOpen(): void {
    this.#probes = new Set()
    this.#succeeded = 0
    this.#refusal = null
    this.#changed('halfOpened', {})
  }

  #close(): void {
    const nowMs = this.clock.nowMs()
    for (const tally of this.#tallies) tally.reset(nowMs)
    this.#epoch = new ClosedEpoch(this)
    this.#probes = null
    this.#changed('closed', {})
  }

  #changed<E extends keyof BreakerEvents>(event: E, more: Omit<BreakerEvents[E], 'name'>): void {
    this.events.emit(event, { name: this.name, ...more } as BreakerEvents[E])
    if (diagnostics.policy.hasSubscribers) diagnostics.policy.publish({ policy: 'circuitBreaker', name: this.name, event, ...more })
  }
}
