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
    data: parsed(row, 'data', place, () => true),
    metadata: parsed(row, 'metadata', place, isObject) as Record<string, unknown>,
    tags: row.tags === '' ? [] : (parsed(row, 'tags', place, isTexts) as string[]),
    recordedEpochMs: asNumber(row.recorded_ms),
  }
}

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value)
const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every((each) => typeof each === 'string')

function parsed(row: Row, column: string, place: string, fits: (value: unknown) => boolean): unknown {
  const text = asText(row[column])
  if (text === '{}' && column !== 'tags') return {}
  const damaged = (how: string, cause?: unknown) =>
    corrupt(place, `the ${column} of the event at position ${asNumber(row.position)} is ${how}`, cause)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw damaged('no JSON', error)
  }
  if (!fits(value)) throw damaged('JSON of another kind')
  return value
}

/** Characters of what is long in them. */
export const sizeOf = (rows: readonly Row[]): number => rows.reduce((sum, row) => sum + asText(row.data).length, 0)
