// Compares what was asked, answered and read with the log as it stood in the end, and says what of the event store's promises does not hold.
import { checkKeeping } from './check-keeping.ts'
import { checkOrder } from './check-order.ts'
import { checkLiveness, checkProcessOrder } from './check-process-order.ts'
import { checkReadings } from './check-readings.ts'
import { checkVerdicts } from './check-verdicts.ts'
import type { Answer, Ask, History, Place } from './history.ts'

/** One contradiction, naming the promise of the port that it breaks. */
export interface Violation {
  readonly promise: number
  readonly what: string
}

/** A request with all that was asked, answered and found of it. */
export interface Known {
  readonly ask: Ask
  readonly asks: readonly Ask[]
  readonly answers: readonly Answer[]
  /** Its events in the log, in the order of the log. */
  readonly found: readonly Place[]
}

export interface Facts {
  readonly history: History
  readonly requests: ReadonlyMap<string, Known>
  /** The request each event of the log is of. */
  readonly ownerOf: (id: string) => Known | undefined
  /** The log's events by stream, by position. */
  readonly streams: ReadonlyMap<string, readonly Place[]>
}

/** At most this many of each kind are told. */
const TOLD_MAX = 20

export function check(history: History): readonly Violation[] {
  const facts = factsOf(history)
  return [checkOrder, checkProcessOrder, checkLiveness, checkVerdicts, checkReadings, checkKeeping].flatMap((rule) => {
    const found: Violation[] = []
    rule(facts, (promise, what) => {
      if (found.length < TOLD_MAX) found.push({ promise, what })
    })
    return found
  })
}

function factsOf(history: History): Facts {
  const ownerById = new Map<string, string>()
  for (const { request, writes } of history.asks) for (const { events } of writes) for (const id of events) ownerById.set(id, request)
  const asks = groupBy(history.asks, ({ request }) => request)
  const answers = groupBy(history.answers, ({ request }) => request)
  const found = groupBy(history.log, ({ id }) => ownerById.get(id) ?? '')
  const requests = new Map<string, Known>()
  for (const [request, all] of asks)
    requests.set(request, { ask: all[0] as Ask, asks: all, answers: answers.get(request) ?? [], found: found.get(request) ?? [] })
  return {
    history,
    requests,
    ownerOf: (id) => requests.get(ownerById.get(id) ?? ''),
    streams: groupBy(history.log, ({ stream }) => stream),
  }
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return groups
}

export type Tell = (promise: number, what: string) => void

export const isAcknowledged = ({ result }: Answer): boolean => result === 'ok' || result === 'duplicate'

/** When it was first acknowledged; undefined: never. */
export function acknowledgedUs({ answers }: Known): number | undefined {
  const times = answers.filter(isAcknowledged).map(({ answeredUs }) => answeredUs)
  return times.length === 0 ? undefined : Math.min(...times)
}

/** When it was first asked for: it cannot have happened before. */
export const askedUs = ({ asks }: Known): number => Math.min(...asks.map((ask) => ask.askedUs))
