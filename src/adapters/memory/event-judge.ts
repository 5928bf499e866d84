import { HoldfastError, refusal } from '../../core/errors.ts'
import { show } from '../../core/options.ts'
import type { AppendReceipt, AppendVerdict } from '../../ports/event-store.ts'
import { type CheckedRequest, type CheckedWrite, requestHash } from '../event-shared/checked.ts'
import type { CheckedCondition } from '../event-shared/condition.ts'
import { MISSED_MAX } from '../event-shared/limits.ts'
import { type Answer, type KeptEvent, keyOf, type LogView, storedEvent, WHOLE_LOG } from './event-log.ts'

/** What a request that may be written writes. */
export interface Plan {
  readonly result: 'write'
  readonly events: readonly KeptEvent[]
  readonly versions: readonly number[]
  /** Where its answer is kept. */
  readonly key: string | undefined
  readonly hash: string
}

/** Decides one request against what is there; writes nothing. */
export function judge(request: CheckedRequest, view: LogView, recordedEpochMs: number): Plan | AppendVerdict {
  const { tenant, writes, condition, idempotencyKey } = request
  const key = idempotencyKey === undefined ? undefined : keyOf(tenant, idempotencyKey)
  const hash = key === undefined ? '' : requestHash(request)
  const answer = key === undefined ? undefined : view.answer(key)
  if (answer !== undefined) return repeated(idempotencyKey as string, answer, hash)
  const refused = closedAmong(request, view) ?? conflictAmong(request, view) ?? conflictOf(tenant, condition, view)
  if (refused !== undefined) return refused
  const versions: number[] = []
  const events = writes.flatMap(({ stream, events }) => {
    const version = view.stream(keyOf(tenant, stream))?.version ?? 0
    versions.push(version + events.length)
    return events.map((event, i) => ({ ...event, tenant, stream, version: version + 1 + i, recordedEpochMs, position: undefined }))
  })
  return { result: 'write', events, versions, key, hash }
}

/** The rows that a request asks for, as open transactions hold them. */
export function rowsOf({ tenant, writes, condition, idempotencyKey }: CheckedRequest): string[] {
  const rows = new Set<string>()
  for (const { stream, events } of writes) {
    rows.add(`stream\0${keyOf(tenant, stream)}`)
    for (const { tags } of events) for (const tag of tags) rows.add(`tag\0${keyOf(tenant, tag)}`)
  }
  if (condition !== undefined && condition.queries !== 'whole-log')
    for (const { tags } of condition.queries) for (const tag of tags) rows.add(`tag\0${keyOf(tenant, tag)}`)
  if (idempotencyKey !== undefined) rows.add(`key\0${keyOf(tenant, idempotencyKey)}`)
  return [...rows]
}

export const unwritten = (error: HoldfastError): AppendVerdict => ({ result: 'none', error })

function repeated(idempotencyKey: string, { hash: original, receipt }: Answer, hash: string): AppendVerdict {
  if (original === hash) return { result: 'duplicate', original: copied(receipt) }
  return unwritten(
    refusal('KEY_REUSED', `append: idempotencyKey ${show(idempotencyKey)} was used for another request`, {
      retry: 'never',
      details: { idempotencyKey },
    }),
  )
}

export const copied = ({ versions, position, token }: AppendReceipt): AppendReceipt => ({ versions: [...versions], position, token })

function closedAmong({ tenant, writes }: CheckedRequest, view: LogView): AppendVerdict | undefined {
  for (const { stream } of writes) {
    const state = view.stream(keyOf(tenant, stream))?.state ?? 'open'
    if (state !== 'open') return unwritten(closed(stream, state))
  }
  return undefined
}

export const closed = (stream: string, state: 'archived' | 'tombstoned'): HoldfastError =>
  refusal(state === 'archived' ? 'STREAM_ARCHIVED' : 'STREAM_TOMBSTONED', `stream ${show(stream)} is ${state} and takes no events`, {
    retry: 'never',
    details: { stream },
  })

function conflictAmong({ tenant, writes }: CheckedRequest, view: LogView): AppendVerdict | undefined {
  for (const { stream, expect } of writes) {
    const actual = view.stream(keyOf(tenant, stream))?.version ?? 0
    if (holds(expect, actual)) continue
    const seen = typeof expect === 'number' ? expect : 0
    const found = view.eventsAfter(keyOf(tenant, stream), seen, MISSED_MAX + 1)
    return { result: 'conflict', reason: 'stream', stream, actual, ...missed(found) }
  }
  return undefined
}

function holds(expect: CheckedWrite['expect'], actual: number): boolean {
  if (expect === 'any') return true
  if (expect === 'exists') return actual > 0
  return actual === (expect === 'none' ? 0 : expect)
}

function conflictOf(tenant: string, condition: CheckedCondition | undefined, view: LogView): AppendVerdict | undefined {
  if (condition === undefined) return undefined
  const { queries, after } = condition
  if (after > BigInt(view.head)) return unwritten(logReset(`position ${after} is past the head of the log, ${view.head}`))
  const found = view.matching(tenant, queries === 'whole-log' ? WHOLE_LOG : queries, Number(after), MISSED_MAX + 1)
  return found.length === 0 ? undefined : { result: 'conflict', reason: 'condition', ...missed(found) }
}

const missed = (found: readonly KeptEvent[]) => ({
  missed: found.slice(0, MISSED_MAX).map(storedEvent),
  truncated: found.length > MISSED_MAX,
})

export const logReset = (message: string): HoldfastError =>
  new HoldfastError('LOG_RESET', `${message}: it is of another log, or of one that was restored`, { effect: 'none', retry: 'never' })
