import type { Tally, TallyCounts, Trip } from './tally.ts'

/** Several tallies as one: a breaker of a single trip, which nearly all are, then keeps no list. */
class Together implements Omit<Tally, 'counts' | 'restore' | 'adopt'> {
  readonly each: readonly Tally[]
  declare readonly entered?: (nowMs: number) => boolean

  constructor(each: readonly Tally[]) {
    this.each = each
    if (each.some((tally) => tally.entered !== undefined)) this.entered = (nowMs) => this.#entered(nowMs)
  }

  record(failed: boolean, enteredMs: number, nowMs: number): boolean {
    let trip = false
    for (const tally of this.each) if (tally.record(failed, enteredMs, nowMs)) trip = true
    return trip
  }

  #entered(nowMs: number): boolean {
    let trip = false
    for (const tally of this.each) if (tally.entered?.(nowMs) === true) trip = true
    return trip
  }

  ignored(enteredMs: number, nowMs: number): void {
    for (const tally of this.each) tally.ignored?.(enteredMs, nowMs)
  }

  disown(): void {
    for (const tally of this.each) tally.disown?.()
  }

  reset(nowMs: number): void {
    for (const tally of this.each) tally.reset(nowMs)
  }
}

/** What a breaker counts with. */
export type Counting = Tally | Together

export const countingOf = (tallies: readonly Tally[]): Counting => (tallies.length === 1 ? (tallies[0] as Tally) : new Together(tallies))

export const talliesFor = (trips: readonly Trip[], nowMs: number): readonly Tally[] => trips.map((trip) => trip.tally(nowMs))

/** One by one, in the order of the trips. */
export const talliesOf = (counting: Counting): readonly Tally[] => (counting instanceof Together ? counting.each : [counting])

/** Windows of other trips than these are no news of them. */
export function restoreCounting(counting: Counting, trips: readonly Trip[], windows: readonly TallyCounts[], nowMs: number): void {
  const fits = windows.length === trips.length && windows.every((counts, i) => counts.kind === trips[i]?.kind)
  if (fits) for (const [i, tally] of talliesOf(counting).entries()) tally.restore(windows[i] as TallyCounts, nowMs)
}

/** Other trips: a new window takes over what an old one of its kind has counted. */
export function changedCounting(counting: Counting, former: readonly Trip[], trips: readonly Trip[], nowMs: number): Counting {
  if (trips.length === former.length && trips.every((trip, i) => trip === former[i])) return counting
  const tallies = talliesOf(counting)
  const free = former.map((trip, i) => ({ kind: trip.kind, tally: tallies[i] as Tally }))
  const fresh = talliesFor(trips, nowMs)
  for (const [i, { kind }] of trips.entries()) {
    const at = free.findIndex((each) => each.kind === kind)
    if (at >= 0) fresh[i]?.adopt((free.splice(at, 1)[0] as { tally: Tally }).tally, nowMs)
  }
  return countingOf(fresh)
}
