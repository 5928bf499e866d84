import type { StoredEvent } from '../../../ports/event-store.ts'
import type { CheckedQuery } from '../../event-shared/condition.ts'
import { asNumber, type Value } from '../connection.ts'
import { corrupt } from '../errors.ts'
import { EVENT_COLUMNS, sizeOf, storedEvent } from './rows.ts'
import { type LogStatements, selection } from './statements.ts'

/** A part of the log: after one position, up to another. */
export interface Span {
  readonly after: number
  readonly upTo: number
}

/** What is read at once, so that nobody waits long for the event loop: events, and characters of their JSON (one alone may have more). */
export interface Most {
  readonly events: number
  readonly size: number
}

/** Every event of the tenant. */
export const WHOLE_LOG: CheckedQuery = { types: undefined, tags: [] }

interface Source {
  readonly from: string
  readonly where: string
  readonly values: readonly Value[]
}

/**
 * Where the events that match are found. The order of the tables is fixed (`cross join`): an index of tags leads where there is one, else the log
 * itself, and never what SQLite takes for a smaller table.
 */
function sourceOf(log: LogStatements, tenant: string, { types, tags }: CheckedQuery, { after, upTo }: Span): Source {
  const lead = tenant === '*' ? undefined : rarest(log, tenant, tags, after)
  const where = ['s.state = 0', 'e.version >= s.kept_from']
  const values: Value[] = []
  const and = (condition: string, ...bound: Value[]): void => {
    where.push(condition)
    values.push(...bound)
  }
  if (lead === undefined) and('e.position > ? and e.position <= ?', after, upTo)
  else and('t.tenant = ? and t.tag = ? and t.position > ? and t.position <= ?', tenant, lead, after, upTo)
  for (const tag of tags) {
    if (tag === lead) continue
    if (tenant === '*') and("e.tags <> '' and exists (select 1 from json_each(e.tags) where value = ?)", tag)
    else and('exists (select 1 from holdfast_event_tag o where o.tenant = ? and o.tag = ? and o.position = e.position)', tenant, tag)
  }
  if (tenant !== '*') and('s.tenant = ?', tenant)
  if (types !== undefined)
    and('e.type in (select number from holdfast_event_type where name in (select value from json_each(?)))', JSON.stringify(types))
  const event = lead === undefined ? 'holdfast_event e' : 'holdfast_event_tag t cross join holdfast_event e on e.position = t.position'
  return { from: `${event} cross join holdfast_stream s on s.number = e.stream`, where: where.join(' and '), values }
}

/** How many rows of an index are counted to find out which tag has fewest. */
const COUNTED_MAX = 200

function rarest(log: LogStatements, tenant: string, tags: readonly string[], after: number): string | undefined {
  if (tags.length < 2) return tags[0]
  const counted = selection(
    log,
    `select count(*) as n from (select 1 from holdfast_event_tag where tenant = ? and tag = ? and position > ? limit ${COUNTED_MAX})`,
  )
  const counts = tags.map((tag) => asNumber(counted.get(tenant, tag, after)?.n))
  return tags[counts.indexOf(Math.min(...counts))]
}

/** The events that match, in order, as many as may be read at once, and up to where everything has been looked at then. */
export function selectEvents(
  log: LogStatements,
  tenant: string,
  query: CheckedQuery,
  span: Span,
  most: Most,
): { readonly events: readonly StoredEvent[]; readonly size: number; readonly scannedTo: number } {
  const { from, where, values } = sourceOf(log, tenant, query, span)
  const { found, fits } = fitting(
    log,
    `select e.position as place, e.size from ${from} where ${where} order by e.position limit ?`,
    values,
    most,
  )
  if (found === 0) return { events: [], size: 0, scannedTo: span.upTo }
  const sql = `select ${EVENT_COLUMNS} from ${from} cross join holdfast_event_type y on y.number = e.type where ${where}
    order by e.position limit ?`
  const rows = selection(log, sql).all(...values, fits)
  if (rows.length !== fits)
    throw corrupt(log.connection.place, `of ${fits} events after position ${span.after} only ${rows.length} have a type that is known`)
  const last = asNumber(rows[rows.length - 1]?.position)
  const events = rows.map((row) => storedEvent(row, log.connection.place))
  return { events, size: sizeOf(rows), scannedTo: found < most.events && fits === found ? span.upTo : last }
}

/**
 * How many of the rows that `sql` finds (each with a size and a rising `place`, its last parameter their limit) may be read at once: one at
 * least. The sum alone is quick, and mostly all that is asked.
 */
export function fitting(log: LogStatements, sql: string, values: readonly Value[], most: Most) {
  const all = selection(log, `select count(*) as found, total(size) as size from (${sql})`).get(...values, most.events)
  const found = asNumber(all?.found)
  if (asNumber(all?.size) <= most.size) return { found, fits: found }
  const running = `select sum(size) over (order by place rows unbounded preceding) as running from (${sql})`
  const row = selection(log, `select count(*) as fits from (${running}) where running <= ?`).get(...values, most.events, most.size)
  return { found, fits: Math.max(1, asNumber(row?.fits)) }
}
