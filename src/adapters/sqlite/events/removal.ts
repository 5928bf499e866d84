import { asNumber } from '../connection.ts'
import type { Session } from '../session.ts'
import { closed } from './judge.ts'
import { type LogStatements, selection } from './statements.ts'
import { ARCHIVED, type KeptStream, OPEN, streamOf, TOMBSTONED } from './streams.ts'

/** Events that one transaction removes; others come between two of them. */
const STEP = 500

/** What is to be done with a stream: nobody sees the events any more from that commit on; the rows go afterwards, in steps. */
export type Mark = (log: LogStatements, tenant: string, stream: string) => void

export const truncated =
  (beforeVersion: number): Mark =>
  (log, tenant, name) => {
    const stream = streamOf(log, tenant, name)
    if (stream === undefined) return
    const keptFrom = Math.max(stream.keptFrom, Math.min(beforeVersion, stream.version + 1))
    selection(log, 'update holdfast_stream set kept_from = ?, to_purge = 1 where number = ?').run(keptFrom, stream.number)
  }

export const archived: Mark = (log, tenant, name) => {
  const stream = streamOf(log, tenant, name)
  if (stream?.state === TOMBSTONED) throw closed(name, TOMBSTONED)
  move(log, tenant, name, stream, ARCHIVED)
}

export const tombstoned: Mark = (log, tenant, name) => {
  const stream = streamOf(log, tenant, name)
  move(log, tenant, name, stream, TOMBSTONED)
  selection(log, 'update holdfast_stream set kept_from = version + 1, to_purge = 1 where tenant = ? and name = ?').run(tenant, name)
}

/** A name that has no events is closed all the same. */
function move(log: LogStatements, tenant: string, name: string, stream: KeptStream | undefined, state: number): void {
  if (stream === undefined) log.addStream.get(tenant, name, 0, state)
  else if (stream.state === OPEN || state === TOMBSTONED)
    selection(log, 'update holdfast_stream set state = ? where number = ?').run(state, stream.number)
}

/** Removes the rows of all that is marked, also what a process before has left. */
export async function purge(session: Session): Promise<void> {
  const isMarked = await session.read('purge', ({ log }) => marked(log) !== undefined)
  if (!isMarked) return
  while (await session.write('purge', ({ log }) => purgeStep(log)));
}

const marked = (log: LogStatements) =>
  selection(
    log,
    'select number, tenant, kept_from from holdfast_stream indexed by holdfast_stream_purge where to_purge = 1 order by number limit 1',
  ).get()

/** Whether there may be more. */
function purgeStep(log: LogStatements): boolean {
  const stream = marked(log)
  if (stream === undefined) return false
  const [number, keptFrom] = [asNumber(stream.number), asNumber(stream.kept_from)]
  const places = selection(log, 'select position from holdfast_event where stream = ? and version < ? order by version limit ?')
    .all(number, keptFrom, STEP)
    .map((row) => asNumber(row.position))
  const list = JSON.stringify(places)
  selection(
    log,
    `delete from holdfast_event_tag where (tenant, tag, position) in
     (select s.tenant, t.value, e.position from json_each(?) p cross join holdfast_event e on e.position = p.value
      cross join holdfast_stream s on s.number = e.stream cross join json_each(iif(e.tags = '', '[]', e.tags)) t)`,
  ).run(list)
  selection(log, 'delete from holdfast_event where position in (select value from json_each(?))').run(list)
  if (places.length < STEP) selection(log, 'update holdfast_stream set to_purge = 0 where number = ?').run(number)
  return true
}
