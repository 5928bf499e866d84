import { HoldfastError } from '../../../core/errors.ts'
import { uuidv7 } from '../../../core/ids.ts'
import type { AppendRequest, AppendVerdict, JoinedEvents } from '../../../ports/event-store.ts'
import { type CheckedRequest, checkRequest, isUnfit } from '../../event-shared/checked.ts'
import type { SqlRow, SqlRunner } from '../../sql-shared/runner.ts'
import { aborted, invalidInput } from '../../storage-shared/refusals.ts'
import { type Bounds, checkBounds } from './bounds.ts'
import { streamBusy } from './committer.ts'
import { none, verdictsOf } from './decode.ts'
import { encodeOne } from './encode.ts'
import type { EventStatements } from './statements.ts'
import type { EventTally } from './tally.ts'

/** The runner of a transaction that the user has open; rejects with `TX_NOT_OPEN`. */
export type OpenTransaction = (tx: unknown) => Promise<SqlRunner>

export interface JoinHost {
  readonly statements: EventStatements
  readonly tally: EventTally
  readonly openTransaction: OpenTransaction
  check(call: string, signal: AbortSignal | undefined): void
  /** Makes rows for more new tags than the server's lock table should carry. */
  prepare(request: CheckedRequest): Promise<void>
}

/** Appends inside the user's transaction: what it needs is held to its end, the log is not. */
export const joined = (host: JoinHost, tx: unknown): JoinedEvents => ({
  append: async (request, options) => {
    const bounds = checkBounds('append', options)
    try {
      return await append(host, tx, request, bounds)
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error
      return none(error)
    }
  },
})

async function append(host: JoinHost, tx: unknown, request: AppendRequest, { timeoutMs, signal }: Bounds): Promise<AppendVerdict> {
  host.check('append', signal)
  const checked = checkRequest(request)
  if (isUnfit(checked)) return checked
  const runner = await host.openTransaction(tx)
  if (checked.condition?.queries === 'whole-log') return none(wholeLogJoined())
  await host.prepare(checked)
  if (signal?.aborted === true) return none(aborted('append', signal))
  const rows = await runner.query(host.statements.join.text, encodeOne(uuidv7(), checked, Math.ceil(timeoutMs)))
  const [verdict] = verdictsOf([checked], rows[0] as SqlRow)
  const answer = verdict === undefined || typeof verdict === 'string' ? none(streamBusy(checked, timeoutMs)) : verdict
  host.tally.answered(checked, answer)
  return answer
}

const wholeLogJoined = (): HoldfastError =>
  invalidInput('append: condition', 'on tags in a transaction of yours: the whole log would be held until it ends', "'whole-log'")
