import type { HoldfastError } from '../../../core/errors.ts'
import type { AppendVerdict } from '../../../ports/event-store.ts'
import type { CheckedRequest } from '../../event-shared/checked.ts'

/** A request on its way through the committer. Made per call: no `#private` fields, no field initialisers. */
export class Pending {
  declare readonly request: CheckedRequest
  /** What it may not share with a request of another batch. */
  declare readonly rows: readonly string[]
  /** How many events it is. */
  declare readonly events: number
  /** Order of arrival. */
  declare readonly number: number
  declare readonly enteredMs: number
  declare readonly deadlineMs: number
  declare readonly answer: (verdict: AppendVerdict) => void
  /** How often others held what it needs. */
  declare busy: number
  declare notBeforeMs: number
  declare answered: boolean
  /** Sent, and not answered by the server: it may have been written. */
  declare sent: boolean
  /** Its caller has gone: it is not sent again. */
  declare caller: AbortSignal | undefined
  /** Ends a wait on the server. */
  declare leave: (() => void) | undefined
  /** Its connection was lost: nobody knows what became of it. */
  declare lost: HoldfastError | undefined
  /** Why it could not be written last. */
  declare failure: HoldfastError | undefined

  constructor(
    request: CheckedRequest,
    number: number,
    times: { readonly enteredMs: number; readonly deadlineMs: number },
    answer: (verdict: AppendVerdict) => void,
  ) {
    this.request = request
    this.rows = rowsOf(request)
    this.events = request.writes.reduce((sum, { events }) => sum + events.length, 0)
    this.number = number
    this.enteredMs = times.enteredMs
    this.deadlineMs = times.deadlineMs
    this.answer = answer
    this.busy = 0
    this.notBeforeMs = 0
    this.answered = false
    this.sent = false
    this.caller = undefined
    this.leave = undefined
    this.lost = undefined
    this.failure = undefined
  }

  /** Once; what comes later changes nothing. */
  settle(verdict: AppendVerdict): void {
    if (this.answered) return
    this.answered = true
    this.answer(verdict)
  }
}

function rowsOf({ tenant, writes, condition, idempotencyKey }: CheckedRequest): string[] {
  const rows: string[] = []
  for (const { stream, events } of writes) {
    rows.push(`s${tenant}\0${stream}`)
    for (const { tags } of events) for (const tag of tags) rows.push(`t${tenant}\0${tag}`)
  }
  if (condition !== undefined && condition.queries !== 'whole-log')
    for (const { tags } of condition.queries) for (const tag of tags) rows.push(`t${tenant}\0${tag}`)
  if (idempotencyKey !== undefined) rows.push(keyRow(tenant, idempotencyKey))
  return rows
}

const keyRow = (tenant: string, key: string): string => `k${tenant}\0${key}`

export const keyOf = ({ request: { tenant, idempotencyKey } }: Pending): string | undefined =>
  idempotencyKey === undefined ? undefined : keyRow(tenant, idempotencyKey)
