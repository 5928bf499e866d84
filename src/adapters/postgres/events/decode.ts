import { HoldfastError, refusal } from '../../../core/errors.ts'
import { show } from '../../../core/options.ts'
import type { AppendReceipt, AppendVerdict, StoredEvent } from '../../../ports/event-store.ts'
import type { CheckedRequest } from '../../event-shared/checked.ts'
import { MISSED_MAX } from '../../event-shared/limits.ts'
import type { SqlRow } from '../../sql-shared/runner.ts'
import { corrupt } from '../errors.ts'
import { numbersOf } from './arrays.ts'
import { STATUS } from './sql/status.ts'
import { joinedToken, plainToken } from './token.ts'

/** An event as the server's JSON has it. */
export type EventJson = readonly [
  position: number | null,
  stream: string,
  version: number,
  type: string,
  id: string,
  recordedMs: number,
  tenant: string,
  tags: readonly string[] | null,
  data: unknown,
  metadata: Readonly<Record<string, unknown>>,
]

function storedEvent([position, stream, version, type, id, recordedEpochMs, tenant, tags, data, metadata]: EventJson): StoredEvent {
  return {
    id,
    stream,
    version,
    position: position === null ? undefined : BigInt(position),
    tenant,
    type,
    data,
    metadata,
    tags: tags ?? [],
    recordedEpochMs,
  }
}

export const eventsOf = (json: string | null | undefined): StoredEvent[] =>
  json === null || json === undefined ? [] : (JSON.parse(json) as EventJson[]).map(storedEvent)

/** What the server tells of a request beyond its status. */
interface More {
  readonly i: number
  readonly write?: number
  readonly actual?: number
  readonly missed?: readonly EventJson[] | null
  readonly head?: string
  readonly versions?: readonly number[]
  readonly position?: string | null
  readonly no?: string | null
  readonly version?: number | null
}

/** Not decided: to be asked again. */
export type Undecided = 'busy' | 'again'

/** A batch's verdicts, in the order of its requests. */
export function verdictsOf(requests: readonly CheckedRequest[], row: SqlRow): (AppendVerdict | Undecided)[] {
  const [statuses = null, versions = null, base = null, incarnation, more] = row
  const status = numbersOf(statuses)
  const left = numbersOf(versions)
  const told = new Map(((more === null || more === undefined ? [] : JSON.parse(more)) as More[]).map((item) => [item.i - 1, item]))
  let position = base === null ? undefined : BigInt(base)
  let write = 0
  return requests.map((request, i) => {
    const first = write
    write += request.writes.length
    const item = told.get(i)
    if (status[i] !== STATUS.ok) return refused(request, status[i], item, incarnation ?? '')
    if (position !== undefined) position += BigInt(request.writes.reduce((sum, { events }) => sum + events.length, 0))
    return { result: 'ok', ...receipt(left.slice(first, write), position, item, incarnation ?? '') }
  })
}

function receipt(versions: readonly number[], position: bigint | undefined, more: More | undefined, incarnation: string): AppendReceipt {
  const { no, version } = more ?? {}
  if (no !== undefined && no !== null) return { versions, position, token: joinedToken(incarnation, no, version ?? 0) }
  return { versions, position, token: plainToken(incarnation, position ?? 0n) }
}

function refused(
  request: CheckedRequest,
  status: number | undefined,
  more: More | undefined,
  incarnation: string,
): AppendVerdict | Undecided {
  const stream = request.writes[more?.write ?? 0]?.stream
  switch (status) {
    case STATUS.busy:
      return 'busy'
    case STATUS.again:
      return 'again'
    case STATUS.streamConflict:
      return { result: 'conflict', reason: 'stream', stream: stream as string, actual: more?.actual ?? 0, ...missed(more) }
    case STATUS.conditionConflict:
      return { result: 'conflict', reason: 'condition', ...missed(more) }
    case STATUS.archived:
    case STATUS.tombstoned:
      return none(closed(stream as string, status === STATUS.archived ? 'archived' : 'tombstoned'))
    case STATUS.duplicate:
      return { result: 'duplicate', original: original(more, incarnation) }
    case STATUS.keyReused:
      return none(keyReused(request.idempotencyKey))
    case STATUS.logReset:
      return none(logReset(`position ${request.condition?.after} is past the head of the log, ${more?.head}`))
    default:
      throw corrupt(`a request was answered with the status ${status}`)
  }
}

function original(more: More | undefined, incarnation: string): AppendReceipt {
  const position = more?.position === undefined || more.position === null ? undefined : BigInt(more.position)
  return receipt(more?.versions ?? [], position, more, incarnation)
}

const missed = (more: More | undefined) => {
  const events = more?.missed ?? []
  return { missed: events.slice(0, MISSED_MAX).map(storedEvent), truncated: events.length > MISSED_MAX }
}

export const none = (error: HoldfastError): AppendVerdict => ({ result: 'none', error })

export const closed = (stream: string, state: 'archived' | 'tombstoned'): HoldfastError =>
  refusal(state === 'archived' ? 'STREAM_ARCHIVED' : 'STREAM_TOMBSTONED', `stream ${show(stream)} is ${state} and takes no events`, {
    retry: 'never',
    details: { stream },
  })

const keyReused = (idempotencyKey: string | undefined): HoldfastError =>
  refusal('KEY_REUSED', `append: idempotencyKey ${show(idempotencyKey)} was used for another request`, {
    retry: 'never',
    details: { idempotencyKey },
  })

export const logReset = (message: string): HoldfastError =>
  new HoldfastError('LOG_RESET', `${message}: it is of another log, or of one that was restored`, { effect: 'none', retry: 'never' })
