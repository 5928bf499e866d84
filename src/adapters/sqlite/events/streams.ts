import type { StoredEvent } from '../../../ports/event-store.ts'
import { asNumber } from '../connection.ts'
import { corrupt } from '../errors.ts'
import { EVENT_COLUMNS, sizeOf, storedEvent } from './rows.ts'
import { fitting, type Most } from './select.ts'
import { type LogStatements, selection } from './statements.ts'

/** A stream as it is kept. `state`: 0 open, 1 archived, 2 tombstoned. */
export interface KeptStream {
  readonly number: number
  readonly version: number
  /** The first version that has not been truncated. */
  readonly keptFrom: number
  readonly state: number
}

export const OPEN = 0
export const ARCHIVED = 1
export const TOMBSTONED = 2

export function streamOf(log: LogStatements, tenant: string, name: string): KeptStream | undefined {
  const row = log.stream.get(tenant, name)
  if (row === undefined) return undefined
  return {
    number: asNumber(row.number),
    version: asNumber(row.version),
    keptFrom: asNumber(row.kept_from),
    state: asNumber(row.state),
  }
}

/** Versions, both inclusive. */
export interface Versions {
  readonly low: number
  readonly high: number
  readonly backwards?: boolean
}

/**
 * A stream's events between two versions that it has, as many as may be read at once. One that is not there is damage: whoever folds a stream would
 * go on from a wrong state.
 */
export function streamEvents(
  log: LogStatements,
  number: number,
  { low, high, backwards = false }: Versions,
  most: Most,
): { readonly events: readonly StoredEvent[]; readonly size: number } {
  if (low > high) return { events: [], size: 0 }
  const order = `order by e.version ${backwards ? 'desc' : 'asc'} limit ?`
  const where = 'e.stream = ? and e.version >= ? and e.version <= ?'
  const values = [number, low, high]
  const place = `${backwards ? '-' : ''}e.version as place`
  const { found, fits } = fitting(log, `select ${place}, e.size from holdfast_event e where ${where} ${order}`, values, most)
  const sql = `select ${EVENT_COLUMNS} from holdfast_event e cross join holdfast_stream s on s.number = e.stream
    cross join holdfast_event_type y on y.number = e.type where ${where} ${order}`
  const rows = selection(log, sql).all(...values, fits)
  const end = backwards ? high - fits + 1 : low + fits - 1
  const isWhole = found === Math.min(most.events, high - low + 1) && rows.length === fits && asNumber(rows.at(-1)?.version) === end
  if (!isWhole) throw corrupt(log.connection.place, `events of stream ${number} between its versions ${low} and ${high} are missing`)
  return { events: rows.map((row) => storedEvent(row, log.connection.place)), size: sizeOf(rows) }
}
