import { setImmediate } from 'node:timers'

/** Something that may have become idle and wants to give back what it holds, but not on the path of a call. */
export interface Sweepable {
  /** Kept by the sweeper. */
  awaitsSweep: boolean
  /** Called once at the end of this turn of the event loop. */
  sweep(): void
}

// Taken once: a fake timer put in its place and thrown away with a turn still to come would end all sweeping for good.
const endOfTurn = setImmediate
let waiting: Sweepable[] = []

function run(): void {
  const now = waiting
  waiting = []
  // All first: where one fails to sweep (a user's clock), the others can still be asked again.
  for (const thing of now) thing.awaitsSweep = false
  for (const thing of now) thing.sweep()
}

/**
 * Has `thing.sweep()` called after the current turn. A listener or a timer is dear to set and to take back; calls that follow one another
 * within a turn share it.
 */
export function sweepLater(thing: Sweepable): void {
  if (thing.awaitsSweep) return
  thing.awaitsSweep = true
  if (waiting.push(thing) === 1) endOfTurn(run)
}
