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
  /** Whether it ended, and so counts for the failures. */
  readonly ended: boolean
  readonly failed: boolean
  /** Whether it is known how long it took, or that it takes too long. */
  readonly timed: boolean
  readonly slow: boolean
  readonly bucket: number
}

export class ModelTally {
  #seen: Seen[] = []
  #originMs: number
  /** When those began that are neither ended nor known to be overdue. */
  #inFlight: number[] = []
  constructor(
    readonly trip: ModelTrip,
    nowMs: number,
  ) {
    this.#originMs = nowMs
  }

  reset(nowMs: number): void {
    this.#seen = []
    this.#originMs = nowMs
    this.#inFlight = []
  }

  enter(nowMs: number): boolean {
    const trip = this.#late(nowMs)
    this.#inFlight.push(nowMs)
    return trip
  }

  ignore(sinceMs: number, nowMs: number): void {
    this.#late(nowMs)
    this.#ended(sinceMs)
  }

  record(failed: boolean, sinceMs: number, nowMs: number): boolean {
    const { trip } = this
    if (trip.kind !== 'time') {
      this.#seen.push({ ended: true, failed, timed: false, slow: false, bucket: 0 })
      const size = trip.kind === 'consecutive' ? trip.failures : trip.calls
      const latest = this.#seen.slice(-size)
      if (trip.kind === 'consecutive') return latest.length === size && latest.every((call) => call.failed)
      return failed && latest.length >= trip.minimumCalls && share(latest, 'failed') >= trip.failureRatio
    }
    const trips = this.#late(nowMs)
    const timed = this.#ended(sinceMs)
    const slow = timed && nowMs - sinceMs > trip.slowCallMs
    const latest = this.#see({ ended: true, failed, timed, slow }, nowMs)
    return trips || (failed && reaches(latest, 'ended', 'failed', trip.failureRatio, trip)) || (slow && this.#tooSlow(latest))
  }

  /** Those overdue by at most an eighth of the time they have, to the start of the eighth, count as slow. */
  #late(nowMs: number): boolean {
    const { trip } = this
    if (trip.kind !== 'time' || trip.slowCallMs === Number.POSITIVE_INFINITY) return false
    const eighth = (ms: number): number => Math.floor(ms / Math.max(1, trip.slowCallMs / 8))
    const late = this.#inFlight.filter((sinceMs) => eighth(nowMs) - eighth(sinceMs) > 8)
    this.#inFlight = this.#inFlight.filter((sinceMs) => !late.includes(sinceMs))
    let latest: readonly Seen[] = []
    for (const _ of late) latest = this.#see({ ended: false, failed: false, timed: true, slow: true }, nowMs)
    return late.length > 0 && this.#tooSlow(latest)
  }

  #ended(sinceMs: number): boolean {
    const at = this.#inFlight.indexOf(sinceMs)
    if (at >= 0) this.#inFlight.splice(at, 1)
    return at >= 0
  }

  #tooSlow(latest: readonly Seen[]): boolean {
    return this.trip.kind === 'time' && reaches(latest, 'timed', 'slow', this.trip.slowRatio, this.trip)
  }

  #see(call: Omit<Seen, 'bucket'>, nowMs: number): readonly Seen[] {
    const bucketMs = (this.trip as { readonly windowMs: number }).windowMs / 10
    const bucketOf = (): number => Math.floor((nowMs - this.#originMs) / bucketMs)
    const last = this.#seen.at(-1)?.bucket ?? 0
    if (bucketOf() - last >= 10) {
      this.#seen = []
      this.#originMs = nowMs
    }
    const bucket = bucketOf()
    this.#seen.push({ ...call, bucket })
    return this.#seen.filter((one) => one.bucket > bucket - 10)
  }
}

const share = (seen: readonly Seen[], what: 'failed' | 'slow'): number => seen.filter((call) => call[what]).length / seen.length

function reaches(
  seen: readonly Seen[],
  of: 'ended' | 'timed',
  what: 'failed' | 'slow',
  ratio: number,
  { minimumCalls }: { readonly minimumCalls: number },
): boolean {
  const those = seen.filter((call) => call[of])
  return those.length >= minimumCalls && share(those, what) >= ratio
}

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
    if (!admission.probe) {
      const trips = this.#tallies.map((tally) => tally.enter(nowMs))
      if (!trips.includes(true)) return admission
      this.#open(nowMs, false)
      return 'open'
    }
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
      if (verdict === 'ignore') {
        for (const tally of this.#tallies) tally.ignore(admission.sinceMs, nowMs)
        return
      }
      const trips = this.#tallies.map((tally) => tally.record(verdict === 'failure', admission.sinceMs, nowMs))
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
