import type { StoredEvent } from '../../../ports/event-store.ts'
import { asNumber, asText, type Row } from '../connection.ts'
import { corrupt } from '../errors.ts'

/** What of an event is read; the tables are `e`, its stream `s`, its type `y`. No text of an event has a NUL, so none is cut there. */
export const EVENT_COLUMNS =
  'e.position, e.version, e.recorded_ms, e.id, e.tags, e.metadata, e.data, s.tenant, s.name as stream, y.name as type'

export function storedEvent(row: Row, place: string): StoredEvent {
  return {
    id: asText(row.id),
    stream: asText(row.stream),
    version: asNumber(row.version),
    position: BigInt(asNumber(row.position)),
    tenant: asText(row.tenant),
    type: asText(row.type),
    data: parsed(row, 'data', place),
    metadata: parsed(row, 'metadata', place) as Record<string, unknown>,
    tags: row.tags === '' ? [] : (parsed(row, 'tags', place) as string[]),
    recordedEpochMs: asNumber(row.recorded_ms),
  }
}

function parsed(row: Row, column: string, place: string): unknown {
  const text = asText(row[column])
  if (text === '{}') return {}
  try {
    return JSON.parse(text)
  } catch (error) {
    throw corrupt(place, `the ${column} of the event at position ${asNumber(row.position)} is no JSON`, error)
  }
}

/** Characters of what is long in them. */
export const sizeOf = (rows: readonly Row[]): number => rows.reduce((sum, row) => sum + asText(row.data).length, 0)
