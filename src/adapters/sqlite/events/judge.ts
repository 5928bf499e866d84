import { type HoldfastError, refusal } from '../../../core/errors.ts'
import { show } from '../../../core/options.ts'
import type { AppendReceipt, AppendVerdict, StoredEvent } from '../../../ports/event-store.ts'
import type { CheckedRequest, CheckedWrite } from '../../event-shared/checked.ts'
import type { CheckedCondition } from '../../event-shared/condition.ts'
import { MISSED_MAX } from '../../event-shared/limits.ts'
import { asNumber, asText } from '../connection.ts'
import { corrupt } from '../errors.ts'
import { type Most, selectEvents, WHOLE_LOG } from './select.ts'
import type { LogStatements } from './statements.ts'
import { ARCHIVED, type KeptStream, OPEN, streamEvents } from './streams.ts'

export interface KeptReceipt {
  readonly versions: readonly number[]
  readonly position: number
  /** Of a joined write. */
  readonly mark: string | undefined
}

/** A stream as it is; undefined where there is none. */
export type Found = KeptStream | undefined

export interface Keys {
  readonly hash: string
  readonly keysFromEpochMs: number
  readonly receipt: (kept: KeptReceipt) => AppendReceipt
}

/** Of what a loser has missed, one more than it is told, to know whether there is more; and no more JSON than a request may have. */
const MISSED: Most = { events: MISSED_MAX + 1, size: 16_777_216 }

/** Why a request whose streams are as they are is not written; undefined where it may be. Writes nothing. */
export function judge(log: LogStatements, request: CheckedRequest, streams: readonly Found[], head: number): AppendVerdict | undefined {
  return unexpected(log, request, streams) ?? overtaken(log, request.tenant, request.condition, head)
}

export const unwritten = (error: HoldfastError): AppendVerdict => ({ result: 'none', error })

export const closed = (stream: string, state: number): HoldfastError =>
  refusal(
    state === ARCHIVED ? 'STREAM_ARCHIVED' : 'STREAM_TOMBSTONED',
    `stream ${show(stream)} is ${state === ARCHIVED ? 'archived' : 'tombstoned'} and takes no events`,
    { retry: 'never', details: { stream } },
  )

export const logReset = (message: string): HoldfastError =>
  refusal('LOG_RESET', `${message}: it is of another log, or of one that was restored`, { retry: 'never' })

/** What its key was answered; a key whose time is over is forgotten. */
export function answered(log: LogStatements, request: CheckedRequest, keys: Keys): AppendVerdict | undefined {
  const { tenant, idempotencyKey } = request
  const row = idempotencyKey === undefined ? undefined : log.key.get(tenant, idempotencyKey)
  if (row === undefined) return undefined
  if (asNumber(row.recorded_ms) < keys.keysFromEpochMs) {
    log.dropKey.run(asNumber(row.number))
    return undefined
  }
  if (asText(row.hash) === keys.hash) {
    const versions = versionsOf(log, asText(row.versions))
    const mark = row.mark === null ? undefined : asText(row.mark)
    return { result: 'duplicate', original: keys.receipt({ versions, position: asNumber(row.position), mark }) }
  }
  return unwritten(
    refusal('KEY_REUSED', `append: idempotencyKey ${show(idempotencyKey)} was used for another request`, {
      retry: 'never',
      details: { idempotencyKey },
    }),
  )
}

function versionsOf(log: LogStatements, text: string): readonly number[] {
  try {
    const versions: unknown = JSON.parse(text)
    if (Array.isArray(versions) && versions.every(Number.isSafeInteger)) return versions
    throw new Error(`they are ${text.slice(0, 100)}`)
  } catch (error) {
    throw corrupt(log.connection.place, 'the versions kept with an idempotency key are no list of numbers', error)
  }
}

function unexpected(log: LogStatements, { writes }: CheckedRequest, streams: readonly Found[]): AppendVerdict | undefined {
  for (const [i, { stream }] of writes.entries()) {
    const state = streams[i]?.state ?? OPEN
    if (state !== OPEN) return unwritten(closed(stream, state))
  }
  for (const [i, { stream, expect }] of writes.entries()) {
    const found = streams[i]
    const actual = found?.version ?? 0
    if (holds(expect, actual)) continue
    const low = Math.max(found?.keptFrom ?? 1, (typeof expect === 'number' ? expect : 0) + 1)
    const events = found === undefined ? [] : streamEvents(log, found.number, { low, high: actual }, MISSED).events
    return { result: 'conflict', reason: 'stream', stream, actual, ...missed(events, low + events.length <= actual) }
  }
  return undefined
}

function holds(expect: CheckedWrite['expect'], actual: number): boolean {
  if (expect === 'any') return true
  if (expect === 'exists') return actual > 0
  return actual === (expect === 'none' ? 0 : expect)
}

function overtaken(log: LogStatements, tenant: string, condition: CheckedCondition | undefined, head: number): AppendVerdict | undefined {
  if (condition === undefined) return undefined
  const { queries, after } = condition
  if (after > BigInt(head)) return unwritten(logReset(`position ${after} is past the head of the log, ${head}`))
  const found = new Map<bigint, StoredEvent>()
  let upTo = head
  for (const query of queries === 'whole-log' ? [WHOLE_LOG] : queries) {
    const { events, scannedTo } = selectEvents(log, tenant, query, { after: Number(after), upTo: head }, MISSED)
    for (const event of events) found.set(event.position as bigint, event)
    upTo = Math.min(upTo, scannedTo)
  }
  if (found.size === 0) return undefined
  // Beyond what every query has looked at there may be others in between.
  const events = [...found.values()].filter(({ position }) => (position as bigint) <= upTo).sort(byPosition)
  return { result: 'conflict', reason: 'condition', ...missed(events, events.length < found.size || upTo < head) }
}

const byPosition = (a: StoredEvent, b: StoredEvent): number => Number((a.position as bigint) - (b.position as bigint))

const missed = (events: readonly StoredEvent[], more: boolean) => ({
  missed: events.slice(0, MISSED_MAX),
  truncated: more || events.length > MISSED_MAX,
})
