import { type Clock, type Timer, useClock } from '../core/clock.ts'

/** Virtual time: nothing happens until the test says so. */
export interface TestClock extends Clock {
  /**
   * Moves time forward by `ms`, firing every timer that falls due on the way, in order, each at its own time; between two timers, and
   * before and after, waits until pending promise callbacks have run.
   */
  advance(ms: number): Promise<void>
  /** Fires the next timer, however far away; resolves to false when there is none. */
  next(): Promise<boolean>
  /** How many timers are set: a test's proof that nothing was left behind. */
  readonly pending: number
  /** Makes this the process's default clock until the returned function is called. */
  install(): () => void
}

interface Entry {
  readonly atMs: number
  readonly order: number
  readonly fire: () => void
}

/**
 * A clock that stands still until told to move.
 *
 * @example
 * ```ts
 * const clock = testClock()
 * const breaker = circuitBreaker({ clock, openMs: 30_000 })
 * await clock.advance(30_000)
 * ```
 */
export function testClock(options: { readonly epochMs?: number } = {}): TestClock {
  const startEpochMs = options.epochMs ?? Date.UTC(2026, 0, 1)
  const entries = new Set<Entry>()
  let nowMs = 0
  let order = 0

  const earliest = (): Entry | undefined => {
    let first: Entry | undefined
    for (const entry of entries)
      if (first === undefined || entry.atMs < first.atMs || (entry.atMs === first.atMs && entry.order < first.order)) first = entry
    return first
  }
  const fire = async (entry: Entry): Promise<void> => {
    entries.delete(entry)
    nowMs = Math.max(nowMs, entry.atMs)
    entry.fire()
    await settled()
  }
  const clock: TestClock = {
    nowMs: () => nowMs,
    epochMs: () => startEpochMs + nowMs,
    setTimer(fire, delayMs): Timer {
      const entry: Entry = { atMs: nowMs + Math.max(0, delayMs), order: order++, fire }
      entries.add(entry)
      return { clear: () => void entries.delete(entry) }
    },
    async advance(ms) {
      await settled()
      const untilMs = nowMs + ms
      for (let entry = earliest(); entry !== undefined && entry.atMs <= untilMs; entry = earliest()) await fire(entry)
      nowMs = untilMs
      await settled()
    },
    async next() {
      await settled()
      const entry = earliest()
      if (entry === undefined) return false
      await fire(entry)
      return true
    },
    get pending() {
      return entries.size
    },
    install: () => useClock(clock),
  }
  return clock
}

/** Resolves after pending promise callbacks, and what they start without a timer, have run. */
const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
}
