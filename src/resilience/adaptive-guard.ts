import type { Clock } from '../core/clock.ts'
import { diagnostics } from '../core/diagnostics.ts'
import { Emitter } from '../core/events.ts'
import type { Guard, GuardContext, Permit, Refusal } from '../core/guard.ts'
import type { Seeker, Seen } from './adaptive-algorithm.ts'
import { type Checked, changeAdaptive, type Seeking } from './adaptive-options.ts'
import type { AdaptiveBulkheadEvents, AdaptiveBulkheadStats } from './adaptive-readouts.ts'
import { CallWindow, PROBE_LATENCIES } from './adaptive-window.ts'
import { verdictOf } from './breaker-verdict.ts'
import { BulkheadGuard } from './bulkhead-guard.ts'
import { changeWaiting } from './bulkhead-options.ts'
import type { Owner } from './managed.ts'

/** A probe that has not seen enough calls after so many times as long as it should last is given up. */
const PROBES_MAX = 4

type Why = AdaptiveBulkheadEvents['limitChanged']['why']

/** A bulkhead behind a guard that listens to how its calls end, and resizes it. */
export class AdaptiveGuard implements Guard, Permit, Owner<AdaptiveBulkheadStats, AdaptiveBulkheadEvents> {
  readonly keeps = true
  readonly timed = true
  readonly name: string
  readonly clock: Clock
  readonly events = new Emitter<AdaptiveBulkheadEvents>()
  readonly slots: BulkheadGuard
  readonly #window: CallWindow
  #settings: Seeking
  #seeker: Seeker
  /** With its fraction, so that slow growth adds up. */
  #limit: number
  /** When a probe is given up; infinite while there is none. */
  #probeEndMs = Number.POSITIVE_INFINITY
  #latencyMs = 0
  #samples = 0
  #dropped = 0
  #ignored = 0

  constructor({ seeking, queueing, clock }: Checked) {
    this.name = queueing.name
    this.clock = clock
    this.#settings = seeking
    this.#seeker = seeking.algorithm.seeker()
    this.#limit = queueing.concurrent
    this.#window = new CallWindow(clock.nowMs())
    this.slots = new BulkheadGuard(queueing, { kind: 'adaptiveBulkhead', permit: this, events: this.events })
  }

  stats(): AdaptiveBulkheadStats {
    return {
      ...this.slots.stats(),
      latencyMs: this.#latencyMs,
      baselineMs: this.#seeker.baselineMs,
      samples: this.#samples,
      dropped: this.#dropped,
      ignored: this.#ignored,
      probing: this.#window.probes,
    }
  }

  enter(ctx: GuardContext, nowMs: number): Permit | Refusal | Promise<Permit | Refusal> {
    if (nowMs >= this.#probeEndMs) this.#endProbe(nowMs)
    return this.slots.enter(ctx)
  }

  leave(ok: boolean, result: unknown, enteredMs: number, nowMs: number): void {
    const verdict = verdictOf(this.#settings.classify, ok, result)
    const { running } = this.slots
    if (verdict === 'ignore') this.#ignored += 1
    else {
      if (verdict === 'success') {
        this.#samples += 1
        this.#window.sample(enteredMs, nowMs, running)
      } else {
        this.#dropped += 1
        this.#window.drop(enteredMs, running)
      }
      if (this.#window.over(nowMs, this.#settings.windowMs, this.#settings.windowCallsMin)) this.#judge(nowMs)
    }
    this.slots.leave()
  }

  release(): void {
    this.slots.release()
  }

  #judge(nowMs: number): void {
    const { running, latencyMs, probes } = this.#window
    const dropped = this.#window.dropped(this.#settings.dropMaxShare)
    if (latencyMs > 0) this.#latencyMs = latencyMs
    if (probes && !dropped) {
      this.#limit = this.#inRange(this.#seeker.probed?.(this.#limit, this.slots.settings.concurrent, latencyMs) ?? this.#limit)
      this.#endProbe(nowMs)
      return
    }
    const seen: Seen = { latencyMs, running, busy: running * 2 >= Math.floor(this.#limit), dropped }
    this.#limit = this.#inRange(this.#seeker.next(this.#limit, seen))
    const probe = Math.max(this.#seeker.probe?.(seen) ?? Number.POSITIVE_INFINITY, this.#settings.concurrentMin)
    if (probe < Math.floor(this.#limit)) {
      this.#window.restart(nowMs, true, true)
      this.#probeEndMs = nowMs + PROBES_MAX * Math.max(this.#settings.windowMs, PROBE_LATENCIES * latencyMs)
      this.#resize(probe, 'probe')
      return
    }
    this.#probeEndMs = Number.POSITIVE_INFINITY
    // One overload is paid for once: its other drops are of calls that began before the cut.
    this.#window.restart(nowMs, dropped)
    this.#resize(this.#limit, dropped ? 'drops' : 'latency')
  }

  #endProbe(nowMs: number): void {
    this.#probeEndMs = Number.POSITIVE_INFINITY
    this.#window.restart(nowMs, true)
    this.#resize(this.#limit, 'probe')
  }

  #inRange(limit: number): number {
    return Math.min(this.#settings.concurrentMax, Math.max(this.#settings.concurrentMin, limit))
  }

  #resize(limit: number, why: Why): void {
    const from = this.slots.settings.concurrent
    const to = Math.floor(limit)
    if (to === from) return
    this.slots.take({ ...this.slots.settings, concurrent: to })
    const what = { name: this.name, from, to, why, latencyMs: this.#latencyMs }
    this.events.emit('limitChanged', what)
    if (diagnostics.policy.hasSubscribers) diagnostics.policy.publish({ policy: 'adaptiveBulkhead', event: 'limitChanged', ...what })
  }

  /** A limit that is out of the new range comes into it at once; a probe is given up. */
  reconfigure(changes: object): void {
    const { algorithm } = this.#settings
    const { seeking, waiting } = changeAdaptive(this.name, this.#settings, changes)
    this.#settings = seeking
    if (seeking.algorithm !== algorithm) this.#seeker = seeking.algorithm.seeker()
    this.slots.take(changeWaiting(this.slots.settings, waiting))
    this.#limit = this.#inRange(this.#limit)
    if (this.#window.probes) this.#endProbe(this.clock.nowMs())
    else this.#resize(this.#limit, 'reconfigured')
  }
}
