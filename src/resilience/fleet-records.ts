import { HoldfastError } from '../core/errors.ts'
import type { KeyEntry } from '../ports/key-value.ts'

/** What the fleet is, under its revision; 0 where nothing is kept, which means closed. */
export interface FleetRecord {
  readonly revision: number
  readonly state: 'closed' | 'open' | 'half-open'
  /** How long it rests before an instance may probe; while half-open, how long it has rested. */
  readonly openMs: number
  /** How long ago it was written, by the store's clock, at the time it was read. */
  readonly ageMs: number
  /** Who wrote it. */
  readonly by: string
}

/** What one instance says. */
export interface Opinion {
  readonly failing: boolean
  /** Under which revision of the fleet it came to it: it says nothing of any other. */
  readonly under: number
}

/** A record that nobody touches for so long is forgotten: the fleet is closed then. */
export const RECORD_MS = 86_400_000

export const NO_RECORD: FleetRecord = { revision: 0, state: 'closed', openMs: 0, ageMs: 0, by: '' }

const STATES: readonly unknown[] = ['closed', 'open', 'half-open']

/** @throws {HoldfastError} `STORAGE_CORRUPT` (effect none) for what no fleet has written. */
export function recordOf(entry: KeyEntry | undefined): FleetRecord {
  if (entry === undefined) return NO_RECORD
  const { version, state, openMs, by } = parsed(entry)
  if (version !== 1 || !STATES.includes(state) || typeof openMs !== 'number' || !(openMs >= 0) || typeof by !== 'string')
    throw strange(entry.key)
  // One that has no end has no age either, and would keep the fleet open for ever.
  if (entry.remainingMs === undefined) throw strange(entry.key)
  const ageMs = Math.max(0, RECORD_MS - entry.remainingMs)
  return { revision: entry.revision, state: state as FleetRecord['state'], openMs, ageMs, by }
}

export const recordText = (state: FleetRecord['state'], openMs: number, by: string): string =>
  JSON.stringify({ version: 1, state, openMs, by })

export function opinionOf(entry: KeyEntry): Opinion {
  const { version, failing, under } = parsed(entry)
  if (version !== 1 || typeof failing !== 'boolean' || typeof under !== 'number') throw strange(entry.key)
  return { failing, under }
}

export const opinionText = ({ failing, under }: Opinion): string => JSON.stringify({ version: 1, failing, under })

function parsed({ key, value }: KeyEntry): Record<string, unknown> {
  try {
    const read: unknown = JSON.parse(value)
    if (typeof read === 'object' && read !== null) return read as Record<string, unknown>
  } catch {
    // Told below.
  }
  throw strange(key)
}

const strange = (key: string): HoldfastError =>
  new HoldfastError('STORAGE_CORRUPT', `fleet: what stands in the store under ${key} was not written by a fleet`, { effect: 'none' })
