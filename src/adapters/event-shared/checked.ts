import { createHash } from 'node:crypto'
import { HoldfastError } from '../../core/errors.ts'
import { show } from '../../core/options.ts'
import type { AppendRequest, AppendVerdict, Expectation, NewEvent, StreamWrite } from '../../ports/event-store.ts'
import { invalidInput, tooLarge } from '../storage-shared/refusals.ts'
import { checkName, checkText } from '../storage-shared/texts.ts'
import { type CheckedCondition, checkCondition } from './condition.ts'
import { type CheckedEvent, checkEvent, checkShort } from './event.ts'
import { EVENTS_MAX, REQUEST_MAX_BYTES, STREAM_MAX_BYTES, TEXT_MAX, WRITES_MAX } from './limits.ts'

export interface CheckedWrite {
  readonly stream: string
  readonly expect: Expectation
  readonly events: readonly CheckedEvent[]
}

/** A request that is fit to be stored. */
export interface CheckedRequest {
  readonly tenant: string
  readonly writes: readonly CheckedWrite[]
  readonly condition: CheckedCondition | undefined
  readonly idempotencyKey: string | undefined
  /** Characters of JSON. */
  readonly size: number
}

export type Unfit = Extract<AppendVerdict, { readonly result: 'none' | 'unknown' }>

/** The request as engines take it, or the verdict on one that is malformed. */
export function checkRequest(request: AppendRequest): CheckedRequest | Unfit {
  try {
    return checked(request)
  } catch (error) {
    if (error instanceof HoldfastError) return { result: 'none', error }
    // A getter of the user's that throws.
    return { result: 'none', error: new HoldfastError('INVALID_INPUT', `append: ${String(error)}`, { effect: 'none', cause: error }) }
  }
}

export const isUnfit = (checked: CheckedRequest | Unfit): checked is Unfit => 'result' in checked

function checked(request: AppendRequest): CheckedRequest {
  if (typeof request !== 'object' || request === null) throw invalidInput('append: a request', 'an object with writes', show(request))
  const { writes, condition, idempotencyKey, tenant = '' } = request
  checkTenant('append: tenant', tenant)
  if (idempotencyKey !== undefined) checkShort('append: idempotencyKey', idempotencyKey)
  if (!Array.isArray(writes) || writes.length === 0) throw invalidInput('append: writes', 'a list of writes', show(writes))
  if (writes.length > WRITES_MAX) throw tooLarge('append: writes', `at most ${WRITES_MAX} streams`, `${writes.length}`)
  const read = writes.map(checkWrite)
  if (new Set(read.map(({ stream }) => stream)).size < read.length)
    throw invalidInput('append: writes', 'each of another stream', 'one twice')
  const events = read.reduce((sum, write) => sum + write.events.length, 0)
  if (events > EVENTS_MAX) throw tooLarge('append: a request', `at most ${EVENTS_MAX} events`, `${events}`)
  const size = read.reduce((sum, write) => write.events.reduce((all, { data, metadata }) => all + data.length + metadata.length, sum), 0)
  if (size > REQUEST_MAX_BYTES) throw tooLarge('append: a request', `at most ${REQUEST_MAX_BYTES} characters of JSON`, `${size}`)
  const checkedCondition = condition === undefined ? undefined : checkCondition('append: condition', condition)
  return { tenant, writes: read, condition: checkedCondition, idempotencyKey, size }
}

/** Empty, or a text as any other that is short. */
export function checkTenant(what: string, tenant: unknown): asserts tenant is string {
  checkText(what, tenant)
  if (tenant.length > TEXT_MAX || tenant.includes('\0') || tenant === '*')
    throw invalidInput(what, `a text of at most ${TEXT_MAX} characters, without NUL, and not '*'`, show(tenant))
}

export function checkStream(what: string, stream: unknown): asserts stream is string {
  checkName(what, stream, STREAM_MAX_BYTES)
  if (stream.includes('\0')) throw invalidInput(what, 'without NUL', show(stream))
}

function checkWrite(write: StreamWrite): CheckedWrite {
  if (typeof write !== 'object' || write === null)
    throw invalidInput('append: a write', 'an object with stream, expect and events', show(write))
  const { stream, expect, events } = write
  checkStream('append: stream', stream)
  const counts = typeof expect === 'number' && Number.isSafeInteger(expect) && expect >= 0
  if (!counts && expect !== 'none' && expect !== 'exists' && expect !== 'any')
    throw invalidInput(`append: ${show(stream)}: expect`, "'none', 'exists', 'any' or a version", show(expect))
  if (!Array.isArray(events)) throw invalidInput(`append: ${show(stream)}: events`, 'a list of events', show(events))
  return { stream, expect, events: checkEvents(stream, events) }
}

/** Which one it is is put into words only where one is refused: that takes as long as the checks. */
function checkEvents(stream: string, events: readonly NewEvent[]): readonly CheckedEvent[] {
  try {
    return events.map((event) => checkEvent('append: an event', event))
  } catch {
    return events.map((event, i) => checkEvent(`append: ${show(stream)}: events[${i}]`, event))
  }
}

/**
 * What a key was first used for: streams, types, data and tags. What a caller who asks again may do anew is left out: ids, metadata (traces), and the
 * expectations that come from reading again.
 */
export function requestHash(request: CheckedRequest): string {
  const parts = request.writes.map(({ stream, events }) => [stream, events.map(({ type, data, tags }) => [type, data, tags])])
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32)
}
