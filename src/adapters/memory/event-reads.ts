import { show } from '../../core/options.ts'
import type { LogBatch, LogRead, StoredEvent, StreamRead } from '../../ports/event-store.ts'
import { checkStream, checkTenant } from '../event-shared/checked.ts'
import { type CheckedQuery, checkPosition, checkQuery } from '../event-shared/condition.ts'
import { aborted, invalidInput, notStarted } from '../storage-shared/refusals.ts'
import type { Bell } from './bell.ts'
import { logReset } from './event-judge.ts'
import { type EventLog, type KeptEvent, keyOf, storedEvent } from './event-log.ts'

const BATCH = 1_000
const BATCH_MAX = 10_000

/** Of one opening of the store. */
export interface ReadHost {
  readonly log: EventLog
  readonly bell: Bell
  readonly isOpen: boolean
}

function look(call: string, host: ReadHost, signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw aborted(call, signal)
  if (!host.isOpen) throw notStarted('memory')
}

const hasGone = (signal: AbortSignal | undefined): boolean => signal?.aborted === true

export async function* readStream(host: ReadHost, stream: string, read: StreamRead = {}): AsyncGenerator<readonly StoredEvent[]> {
  const { tenant = '', fromVersion, toVersion, backwards = false, batch = BATCH, signal } = read
  checkStream('readStream: stream', stream)
  checkTenant('readStream: tenant', tenant)
  checkBatch('readStream: batch', batch)
  for (const [name, version] of Object.entries({ fromVersion, toVersion }))
    if (version !== undefined && !(Number.isSafeInteger(version) && version >= 1))
      throw invalidInput(`readStream: ${name}`, 'a version of at least 1', show(version))
  const key = keyOf(tenant, stream)
  look('readStream', host, signal)
  const last = host.log.stream(key)?.version ?? 0
  const [from, to] = backwards ? [toVersion ?? 1, fromVersion ?? last] : [fromVersion ?? 1, toVersion ?? last]
  yield* versions(host, key, { low: from, high: Math.min(to, last), backwards, batch, signal })
}

interface Span {
  low: number
  high: number
  readonly backwards: boolean
  readonly batch: number
  readonly signal: AbortSignal | undefined
}

async function* versions(host: ReadHost, key: string, span: Span): AsyncGenerator<readonly StoredEvent[]> {
  while (span.low <= span.high) {
    look('readStream', host, span.signal)
    const { low, high, batch } = span
    const first = host.log.stream(key)?.events[0]?.version ?? high + 1
    const from = Math.max(first, span.backwards ? Math.max(low, high - batch + 1) : low)
    const events = host.log.eventsAfter(key, from - 1, Math.min(batch, high - from + 1))
    const [end, start] = [events.at(-1), events[0]]
    if (end === undefined || start === undefined) return
    if (span.backwards) span.high = start.version - 1
    else span.low = end.version + 1
    yield (span.backwards ? events.reverse() : events).map(storedEvent)
  }
}

interface Cursor {
  at: number
  readonly tenant: string
  readonly query: CheckedQuery
  readonly batch: number
}

function cursorOf(call: string, host: ReadHost, read: LogRead): Cursor {
  const { after = 0n, incarnation, tenant = '', batch = BATCH, types, tags } = read
  checkPosition(`${call}: after`, after)
  if (tenant !== '*') checkTenant(`${call}: tenant`, tenant)
  checkBatch(`${call}: batch`, batch)
  const query = checkQuery(call, { ...(types === undefined ? {} : { types }), ...(tags === undefined ? {} : { tags }) })
  if (incarnation !== undefined && incarnation !== host.log.incarnation) throw logReset(`incarnation ${show(incarnation)} is not the log's`)
  if (after > BigInt(host.log.head)) throw logReset(`position ${after} is past the head of the log, ${host.log.head}`)
  return { at: Number(after), tenant, query, batch }
}

export async function* readAll(host: ReadHost, read: LogRead = {}): AsyncGenerator<LogBatch> {
  look('readAll', host, read.signal)
  const cursor = cursorOf('readAll', host, read)
  const { head } = host.log
  yield next(host, cursor, head)
  while (cursor.at < head) {
    look('readAll', host, read.signal)
    yield next(host, cursor, head)
  }
}

export async function* subscribe(host: ReadHost, read: LogRead = {}): AsyncGenerator<LogBatch> {
  const { signal } = read
  if (hasGone(signal)) return
  look('subscribe', host, undefined)
  const cursor = cursorOf('subscribe', host, read)
  yield next(host, cursor, host.log.head)
  for (;;) {
    // Looked at in the step in which the wait begins: no event comes between.
    if (cursor.at >= host.log.head && host.isOpen && (await host.bell.wait({ signal })) === 'aborted') return
    if (hasGone(signal)) return
    look('subscribe', host, undefined)
    if (cursor.at < host.log.head) yield next(host, cursor, host.log.head)
  }
}

/** The next batch up to `head`, and the cursor after it. */
function next(host: ReadHost, cursor: Cursor, head: number): LogBatch {
  const events: KeptEvent[] = []
  let scannedTo = head
  for (const event of host.log.walk(cursor.tenant, cursor.query, cursor.at)) {
    const position = event.position as number
    if (position > head) break
    events.push(event)
    if (events.length < cursor.batch) continue
    scannedTo = position
    break
  }
  cursor.at = scannedTo
  return { events: events.map(storedEvent), scannedTo: BigInt(scannedTo), incarnation: host.log.incarnation }
}

function checkBatch(what: string, batch: unknown): void {
  if (!Number.isSafeInteger(batch) || (batch as number) < 1 || (batch as number) > BATCH_MAX)
    throw invalidInput(what, `a whole number from 1 to ${BATCH_MAX}`, show(batch))
}
