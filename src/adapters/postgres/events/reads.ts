import { type HoldfastError, refusal } from '../../../core/errors.ts'
import { show } from '../../../core/options.ts'
import type { LogBatch, LogRead, StoredEvent, StreamRead } from '../../../ports/event-store.ts'
import { checkStream, checkTenant } from '../../event-shared/checked.ts'
import { type CheckedQuery, checkPosition, checkQuery } from '../../event-shared/condition.ts'
import type { SqlRow, SqlText } from '../../sql-shared/runner.ts'
import { invalidInput } from '../../storage-shared/refusals.ts'
import type { PgStatement } from '../client/client.ts'
import { textArray } from './arrays.ts'
import { eventsOf, logReset } from './decode.ts'
import type { EventStatements } from './statements.ts'
import type { Wakes } from './wakes.ts'

const BATCH = 1_000
const BATCH_MAX = 10_000
/** Places looked at in one round trip where something selects: a filter that nothing matches is not silent, and never one long query. */
const SCAN = 10_000
const TAGGED_SCAN = 2_000
const VERSION_MAX = '9007199254740991'
const POLL_MIN_MS = 5
/** Joined events are found by looking, and so is what other processes write where no hint comes. */
const POLL_MAX_MS = 200

export interface ReadHost {
  readonly statements: EventStatements
  readonly wakes: Wakes
  /** Refuses what is asked of a store that is not open, or by a caller who has gone. */
  check(call: string, signal: AbortSignal | undefined): void
  read(statement: PgStatement, values: readonly SqlText[], call: string, signal: AbortSignal | undefined): Promise<SqlRow>
  /** Gives committed joined events their places; without effect where nothing can be written. */
  place(signal: AbortSignal | undefined): Promise<void>
}

export async function* readStream(host: ReadHost, stream: string, read: StreamRead = {}): AsyncGenerator<readonly StoredEvent[]> {
  const { tenant = '', fromVersion, toVersion, backwards = false, batch = BATCH, signal } = read
  checkStream('readStream: stream', stream)
  checkTenant('readStream: tenant', tenant)
  checkBatch('readStream: batch', batch)
  for (const [name, version] of Object.entries({ fromVersion, toVersion }))
    if (version !== undefined && !(Number.isSafeInteger(version) && version >= 1))
      throw invalidInput(`readStream: ${name}`, 'a version of at least 1', show(version))
  let low = String((backwards ? toVersion : fromVersion) ?? 1)
  let high = String((backwards ? fromVersion : toVersion) ?? VERSION_MAX)
  for (;;) {
    host.check('readStream', signal)
    const statement = host.statements.stream[backwards ? 'backwards' : 'forwards']
    const [json, cut] = await host.read(statement, [tenant, stream, low, high, String(batch)], 'readStream', signal)
    const events = eventsOf(json)
    const last = events.at(-1)
    if (last === undefined) return
    yield events
    if (events.length < batch && cut !== 'true') return
    if (backwards) high = String(last.version - 1)
    else low = String(last.version + 1)
  }
}

/** Where a reader of the log is, and what it wants. */
interface Cursor {
  readonly call: string
  at: bigint
  /** Of the log as it was first seen: a reader stays within one. */
  incarnation: string | undefined
  readonly tenant: string
  readonly query: CheckedQuery
  readonly batch: number
  readonly signal: AbortSignal | undefined
}

interface Step {
  readonly batch: LogBatch
  readonly head: bigint
  readonly pending: boolean
}

export async function* readAll(host: ReadHost, read: LogRead = {}): AsyncGenerator<LogBatch> {
  const cursor = cursorOf('readAll', host, read)
  let step = await next(host, cursor)
  if (step.pending) {
    // They are committed, so whoever reads from now on is to find them.
    await host.place(cursor.signal)
    // Who was told no incarnation takes the one that placing may have begun: the first draw after a failover.
    cursor.incarnation = read.incarnation
    step = await next(host, cursor)
  }
  const { head } = step
  for (;;) {
    if (step.batch.scannedTo >= head) {
      yield clamped(step.batch, head)
      return
    }
    cursor.at = step.batch.scannedTo
    const ahead = early(next(host, cursor))
    yield step.batch
    host.check('readAll', cursor.signal)
    step = await ahead
  }
}

/** Without what has come since the head was found. */
function clamped({ events, scannedTo, incarnation }: LogBatch, head: bigint): LogBatch {
  if (scannedTo === head) return { events, scannedTo, incarnation }
  return { events: events.filter(({ position }) => (position as bigint) <= head), scannedTo: head, incarnation }
}

export async function* subscribe(host: ReadHost, read: LogRead = {}): AsyncGenerator<LogBatch> {
  const { signal } = read
  const isOver = (): boolean => signal?.aborted === true
  if (isOver()) return
  const cursor = cursorOf('subscribe', host, read)
  let pauseMs = POLL_MIN_MS
  let ahead: Promise<Step> | undefined
  for (let first = true; ; first = false) {
    const seen = host.wakes.count
    const step = await untilAborted(ahead ?? next(host, cursor), signal)
    if (step === undefined) return
    if (step.pending) await untilAborted(host.place(signal), signal)
    const moved = step.batch.scannedTo > cursor.at
    cursor.at = step.batch.scannedTo
    ahead = cursor.at < step.head ? early(next(host, cursor)) : undefined
    if (moved || first) yield step.batch
    pauseMs = moved ? POLL_MIN_MS : Math.min(POLL_MAX_MS, pauseMs * 2)
    // Where places were given it has rung meanwhile. On a standby they cannot be: they come from the primary.
    if (cursor.at >= step.head) await host.wakes.wait(seen, pauseMs, signal)
    if (isOver()) return
    host.check('subscribe', undefined)
  }
}

/** Read on the server while the reader works on what came before it; nobody may come for it. */
function early(step: Promise<Step>): Promise<Step> {
  step.catch(() => {})
  return step
}

/** A subscription ends with its signal, it does not fail by it. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (signal?.aborted === true) return undefined
    throw error
  }
}

function cursorOf(call: string, host: ReadHost, read: LogRead): Cursor {
  const { after = 0n, incarnation, tenant = '', batch = BATCH, types, tags, signal } = read
  checkPosition(`${call}: after`, after)
  if (tenant !== '*') checkTenant(`${call}: tenant`, tenant)
  checkBatch(`${call}: batch`, batch)
  const query = checkQuery(call, { ...(types === undefined ? {} : { types }), ...(tags === undefined ? {} : { tags }) })
  host.check(call, call === 'subscribe' ? undefined : signal)
  return { call, at: after, incarnation, tenant, query, batch, signal }
}

async function next(host: ReadHost, cursor: Cursor): Promise<Step> {
  const { at, tenant, query, batch, signal, call } = cursor
  const byTag = query.tags.length > 0 && tenant !== '*'
  const selects = query.tags.length > 0 || query.types !== undefined || tenant !== '*'
  const end = byTag ? undefined : at + BigInt(selects ? Math.max(batch, SCAN) : batch)
  const values = [
    String(at),
    end === undefined ? '9223372036854775807' : String(end),
    tenant === '*' ? null : tenant,
    query.types === undefined ? null : textArray(query.types),
    query.tags.length === 0 ? null : textArray(query.tags),
    String(batch),
    ...(byTag ? [String(Math.max(batch, TAGGED_SCAN))] : []),
  ]
  const [looked = null, head, incarnation, pending, json, cut] = await host.read(
    byTag ? host.statements.tagged : host.statements.log,
    values,
    call,
    signal,
  )
  const headAt = BigInt(head ?? 0)
  if (cursor.incarnation !== undefined && incarnation !== cursor.incarnation)
    throw logReset(`incarnation ${show(cursor.incarnation)} is not the log's`)
  if (at > headAt) {
    const what = `position ${at} is past the head of the log, ${headAt}`
    throw (await isBehind(host, call, signal)) ? behind(what) : logReset(what)
  }
  cursor.incarnation = incarnation ?? undefined
  const events = eventsOf(json)
  const last = events.at(-1)?.position
  const full = last !== undefined && (events.length >= batch || cut === 'true')
  const scannedTo = full ? last : least(headAt, looked === null ? end : BigInt(looked))
  return { batch: { events, scannedTo, incarnation: incarnation ?? '' }, head: headAt, pending: pending === 'true' }
}

/** A standby may not have come so far yet. Only a primary's head tells that what was past it is lost. */
export async function isBehind(host: ReadHost, call: string, signal: AbortSignal | undefined): Promise<boolean> {
  const [recovering] = await host.read(host.statements.recovering, [], call, signal)
  return recovering === 'true'
}

const behind = (what: string): HoldfastError =>
  refusal('STORAGE_UNAVAILABLE', `${what}: this is a standby that is behind, come again`, {
    details: { reason: 'a standby that is behind' },
  })

const least = (head: bigint, other: bigint | undefined): bigint => (other === undefined || head < other ? head : other)

function checkBatch(what: string, batch: unknown): void {
  if (!Number.isSafeInteger(batch) || (batch as number) < 1 || (batch as number) > BATCH_MAX)
    throw invalidInput(what, `a whole number from 1 to ${BATCH_MAX}`, show(batch))
}
