// Promises 3 and 8: every reader was given the log, in order, without a gap, as far as it came.
import type { Facts, Tell } from './checker.ts'

export function checkReadings({ history: { readings, log } }: Facts, tell: Tell): void {
  for (const { reader, after, batches } of readings) {
    let at = after
    for (const { scannedTo, events } of batches) {
      for (const place of events) {
        const truth = log[place.position - 1]
        if (place.position !== at + 1) tell(3, `${reader} was given ${place.position} after ${at}`)
        else if (truth?.id !== place.id || truth.stream !== place.stream || truth.version !== place.version)
          tell(3, `${reader} was given ${place.id} at ${place.position}, where the log has ${truth?.id ?? 'nothing'}`)
        at = place.position
      }
      if (scannedTo < at) tell(8, `${reader} was given ${at} in a batch that says ${scannedTo}`)
      if (scannedTo > at) tell(3, `${reader} was told ${scannedTo} with nothing after ${at}`)
      at = Math.max(at, scannedTo)
    }
  }
}
