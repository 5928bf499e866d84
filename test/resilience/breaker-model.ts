import type { Verdict } from '../../src/core/outcome.ts'

/** A trip, told once more in the simplest way: everything is remembered, and looked through at each call. */
export type ModelTrip =
  | { readonly kind: 'consecutive'; readonly failures: number }
  | { readonly kind: 'count'; readonly calls: number; readonly failureRatio: number; readonly minimumCalls: number }
  | {
      readonly kind: 'time'
      readonly windowMs: number
      readonly failureRatio: number
      readonly minimumCalls: number
      readonly slowCallMs: number
      readonly slowRatio: number
    }

interface Seen {
  readonly failed: boolean
  readonly slow: boolean
  readonly bucket: number
}

class ModelTally {
  #seen: Seen[] = []
  #originMs: number
  constructor(
    readonly trip: ModelTrip,
    nowMs: number,
  ) {
    this.#originMs = nowMs
  }

  reset(nowMs: number): void {
    this.#seen = []
    this.#originMs = nowMs
  }

  record(failed: boolean, tookMs: number, nowMs: number): boolean {
    const { trip } = this
    if (trip.kind !== 'time') {
      this.#seen.push({ failed, slow: false, bucket: 0 })
      const size = trip.kind === 'consecutive' ? trip.failures : trip.calls
      const latest = this.#seen.slice(-size)
      if (trip.kind === 'consecutive') return latest.length === size && latest.every((call) => call.failed)
      return failed && latest.length >= trip.minimumCalls && share(latest, 'failed') >= trip.failureRatio
    }
    const bucketOf = (): number => Math.floor((nowMs - this.#originMs) / (trip.windowMs / 10))
    const last = this.#seen.at(-1)?.bucket ?? 0
    if (bucketOf() - last >= 10) this.reset(nowMs)
    const bucket = bucketOf()
    const slow = tookMs > trip.slowCallMs
    this.#seen.push({ failed, slow, bucket })
    const latest = this.#seen.filter((call) => call.bucket > bucket - 10)
    if (latest.length < trip.minimumCalls) return false
    return (failed && share(latest, 'failed') >= trip.failureRatio) || (slow && share(latest, 'slow') >= trip.slowRatio)
  }
}

const share = (seen: readonly Seen[], what: 'failed' | 'slow'): number => seen.filter((call) => call[what]).length / seen.length

export interface ModelOptions {
  readonly trips: readonly ModelTrip[]
  readonly openMs: number
  readonly openMaxMs: number
  readonly probes: number
  readonly probeTimeoutMs: number
}

/** What admitted a call: a closed age, or a half-open one. */
export interface Admission {
  readonly age: number
  readonly probe: boolean
  readonly sinceMs: number
}

/** A circuit breaker as its documentation describes it. Ages are counted, so that a late outcome finds another one. */
export class BreakerModel {
  age = 0
  kind: 'closed' | 'open' | 'half-open' = 'closed'
  untilMs = 0
  openMs: number
  readonly out = new Set<Admission>()
  succeeded = 0
  readonly changes: string[] = []
  readonly #tallies: readonly ModelTally[]

  constructor(readonly options: ModelOptions) {
    this.openMs = options.openMs
    this.#tallies = options.trips.map((trip) => new ModelTally(trip, 0))
  }

  stateAt(nowMs: number): string {
    return this.kind === 'open' && nowMs >= this.untilMs ? 'half-open' : this.kind
  }

  enter(nowMs: number): Admission | 'open' | 'half-open' {
    if (this.kind === 'open') {
      if (nowMs < this.untilMs) return 'open'
      this.#become('half-open')
      this.succeeded = 0
      this.out.clear()
    }
    const admission = { age: this.age, probe: this.kind === 'half-open', sinceMs: nowMs }
    if (!admission.probe) return admission
    if ([...this.out].some((probe) => this.#hung(probe, nowMs))) {
      this.#open(nowMs, true)
      return 'open'
    }
    if (this.out.size + this.succeeded >= this.options.probes) return 'half-open'
    this.out.add(admission)
    return admission
  }

  end(admission: Admission, verdict: Verdict, nowMs: number): void {
    if (admission.age !== this.age) return
    if (!admission.probe) {
      if (verdict === 'ignore') return
      const trips = this.#tallies.map((tally) => tally.record(verdict === 'failure', nowMs - admission.sinceMs, nowMs))
      if (trips.includes(true)) this.#open(nowMs, false)
      return
    }
    this.out.delete(admission)
    if (verdict === 'failure' || this.#hung(admission, nowMs)) this.#open(nowMs, true)
    else if (verdict === 'success' && ++this.succeeded === this.options.probes) {
      this.#become('closed')
      this.openMs = this.options.openMs
      for (const tally of this.#tallies) tally.reset(nowMs)
    }
  }

  #hung(probe: Admission, nowMs: number): boolean {
    return nowMs - probe.sinceMs >= this.options.probeTimeoutMs
  }

  #open(nowMs: number, again: boolean): void {
    this.openMs = again ? Math.min(this.openMs * 2, this.options.openMaxMs) : this.options.openMs
    this.untilMs = nowMs + this.openMs
    this.#become('open')
  }

  #become(kind: 'closed' | 'open' | 'half-open'): void {
    this.kind = kind
    this.age += 1
    this.changes.push(kind)
  }
}
