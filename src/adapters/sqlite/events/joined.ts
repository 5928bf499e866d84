import type { HoldfastError } from '../../../core/errors.ts'
import type { AppendVerdict, JoinedEvents } from '../../../ports/event-store.ts'
import { type CheckedRequest, checkRequest, isUnfit } from '../../event-shared/checked.ts'
import { checkBounds } from '../../event-shared/reads.ts'
import { aborted, invalidInput } from '../../storage-shared/refusals.ts'
import type { Connection } from '../connection.ts'
import { inSavepoint, type Joined, joinedBy, onCommit } from '../handles.ts'
import type { Opened, Session } from '../session.ts'
import { unwritten } from './judge.ts'
import { headIn, type LogStatements, prepareLog } from './statements.ts'
import type { Tally } from './tally.ts'
import { LogWriter, type WriterOptions } from './writer.ts'

const prepared = new WeakMap<Connection, LogStatements>()

/**
 * Appends in a transaction that the user has open. It holds the one write lock of the database, so the positions are given at once and nobody
 * else can come between; they are told only as tokens, since the transaction may still be rolled back.
 */
export function joinedEvents(session: Session, tally: Tally, tx: unknown, times: () => WriterOptions): JoinedEvents {
  return {
    append: async (request, options) => {
      const { signal } = checkBounds('append', options)
      const checked = checkRequest(request)
      if (isUnfit(checked)) return checked
      try {
        if (signal?.aborted === true) throw aborted('append', signal)
        if (checked.condition?.queries === 'whole-log') throw wholeLog()
        return append(session, tally, tx, checked, times())
      } catch (error) {
        return unwritten(error as HoldfastError)
      }
    },
  }
}

function append(session: Session, tally: Tally, tx: unknown, request: CheckedRequest, times: WriterOptions): AppendVerdict {
  const { opened } = session
  const joined = joinedBy(tx, opened.connection)
  const log = prepared.get(joined.connection) ?? prepareLog(joined.connection)
  prepared.set(joined.connection, log)
  const joinedAfter = committed(opened, joined)
  let events = 0
  const verdict = inSavepoint(joined, () => {
    const writer = new LogWriter(log, { ...times, joinedAfter })
    const decided = writer.decide(request)
    writer.finish()
    events = writer.events
    return decided
  })
  tally.answered(events, [verdict])
  onCommit(joined.handle, ring(session))
  return verdict
}

/** Up to where positions are certainly committed: as another connection sees it. */
function committed({ connection, log }: Opened, { handle }: Joined): number {
  if (connection.isOf(handle)) return 0
  try {
    return connection.read(() => headIn(log))
  } catch {
    // A file without a write-ahead log is closed to readers while a large transaction is being written.
    return 0
  }
}

/** On every engine alike: elsewhere it would hold up everybody. */
const wholeLog = (): HoldfastError =>
  invalidInput('append: condition', 'on tags in a transaction of yours: the whole log would be held until it ends', "'whole-log'")

const rings = new WeakMap<Session, () => void>()

/** The same function for the same session, so that it is told once. */
function ring(session: Session): () => void {
  const known = rings.get(session) ?? (() => session.changes.ring())
  rings.set(session, known)
  return known
}
