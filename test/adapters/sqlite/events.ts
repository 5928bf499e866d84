// Requests and readers that the tests of events share.
import type { AppendRequest, AppendVerdict, EventStore, LogRead, NewEvent, StoredEvent } from '../../../src/ports/event-store.ts'

export const event = (data: unknown = 1, change: Partial<NewEvent> = {}): NewEvent => ({ type: 'placed', data, ...change })

export const one = (stream: string, change: Partial<AppendRequest> & { events?: readonly NewEvent[] } = {}): AppendRequest => {
  const { events = [event()], ...rest } = change
  return { writes: [{ stream, expect: 'any', events }], ...rest }
}

export const word = (verdict: AppendVerdict | undefined): string =>
  verdict === undefined
    ? 'nothing'
    : verdict.result === 'none' || verdict.result === 'unknown'
      ? `${verdict.result} ${verdict.error.code}`
      : verdict.result

export const words = (verdicts: readonly AppendVerdict[]): string[] => verdicts.map(word)

export async function logOf(store: EventStore, read?: LogRead): Promise<StoredEvent[]> {
  const events: StoredEvent[] = []
  for await (const batch of store.readAll(read)) events.push(...batch.events)
  return events
}

export async function streamOf(store: EventStore, stream: string): Promise<StoredEvent[]> {
  const events: StoredEvent[] = []
  for await (const batch of store.readStream(stream)) events.push(...batch)
  return events
}

export const names = (events: readonly StoredEvent[]): string[] => events.map(({ stream, version }) => `${stream}@${version}`)

/** What has become of a promise so far. */
export function watched<T>(promise: Promise<T>): { outcome: () => unknown } {
  let outcome: unknown = 'pending'
  promise.then(
    (value) => {
      outcome = value
    },
    (error: unknown) => {
      outcome = error
    },
  )
  return { outcome: () => outcome }
}
