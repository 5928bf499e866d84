import type { Verdict } from '../core/outcome.ts'
import type { Tally, TallyCounts, Trip } from './tally.ts'

/** The windows of a breaker, one per trip. */
export class Tallies {
  #trips: readonly Trip[]
  #all: readonly Tally[]
  /** Whether some tally wants to know of calls that begin. */
  watching: boolean

  constructor(trips: readonly Trip[], nowMs: number) {
    this.#trips = trips
    this.#all = trips.map((trip) => trip.tally(nowMs))
    this.watching = this.#watches()
  }

  /** A call begins; whether that is enough to trip. */
  entered(nowMs: number): boolean {
    let trip = false
    for (const tally of this.#all) if (tally.entered?.(nowMs) === true) trip = true
    return trip
  }

  told(verdict: Verdict, enteredMs: number, nowMs: number): boolean {
    let trip = false
    for (const tally of this.#all) {
      if (verdict === 'ignore') tally.ignored?.(enteredMs, nowMs)
      else if (tally.record(verdict === 'failure', enteredMs, nowMs)) trip = true
    }
    return trip
  }

  reset(nowMs: number): void {
    for (const tally of this.#all) tally.reset(nowMs)
  }

  disown(): void {
    for (const tally of this.#all) tally.disown?.()
  }

  counts(nowMs: number): TallyCounts[] {
    return this.#all.map((tally) => tally.counts(nowMs))
  }

  /** Windows of other trips than these are no news of them. */
  restore(windows: readonly TallyCounts[], nowMs: number): void {
    const fits = windows.length === this.#all.length && windows.every((counts, i) => counts.kind === this.#trips[i]?.kind)
    if (fits) for (const [i, counts] of windows.entries()) this.#all[i]?.restore(counts, nowMs)
  }

  /** Other trips: a new window takes over what an old one of its kind has counted. */
  change(trips: readonly Trip[], nowMs: number): void {
    const former = this.#trips
    if (trips.length === former.length && trips.every((trip, i) => trip === former[i])) return
    const free = former.map((trip, i) => ({ kind: trip.kind, tally: this.#all[i] as Tally }))
    this.#all = trips.map((trip) => {
      const tally = trip.tally(nowMs)
      const at = free.findIndex(({ kind }) => kind === trip.kind)
      if (at >= 0) tally.adopt((free.splice(at, 1)[0] as { tally: Tally }).tally, nowMs)
      return tally
    })
    this.#trips = trips
    this.watching = this.#watches()
  }

  #watches(): boolean {
    return this.#all.some((tally) => tally.entered !== undefined)
  }
}
