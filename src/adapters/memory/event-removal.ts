import { closed } from './event-judge.ts'
import type { EventLog, KeptStream } from './event-log.ts'

/** Removes the events below a version; the stream goes on from its last one. */
export function truncate(log: EventLog, key: string, beforeVersion: number): void {
  const stream = log.stream(key)
  const first = stream?.events[0]
  if (stream === undefined || first === undefined) return
  const gone = stream.events.splice(0, Math.max(0, beforeVersion - first.version))
  if (stream.state === 'open') log.remove(gone)
}

/** Takes the events out of the log; the stream can still be read. A name that has no events is closed all the same. */
export function archive(log: EventLog, key: string, name: string): void {
  const stream = streamAt(log, key)
  if (stream.state === 'tombstoned') throw closed(name, 'tombstoned')
  if (stream.state === 'archived') return
  stream.state = 'archived'
  log.remove(stream.events)
}

export function tombstone(log: EventLog, key: string): void {
  const stream = streamAt(log, key)
  if (stream.state === 'open') log.remove(stream.events)
  stream.state = 'tombstoned'
  stream.events = []
}

function streamAt(log: EventLog, key: string): KeptStream {
  const stream = log.stream(key) ?? { version: 0, state: 'open', events: [] }
  log.streams.set(key, stream)
  return stream
}
