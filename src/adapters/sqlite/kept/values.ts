import type { KeyEntry } from '../../../ports/key-value.ts'
import { asNumber, asText, type Row } from '../connection.ts'
import { type KeptStatements, nextIn } from './statements.ts'

/** How long it is known that a key is gone, for those who watch. */
const GONE_KEPT_MS = 3_600_000
/** What a write clears away of what others left. */
const TRIMMED = 2

export interface KeptValue {
  readonly key: string
  readonly value: string
  readonly revision: number
  readonly untilMs: number | null
}

export const keptValue = (row: Row): KeptValue => ({
  key: asText(row.key),
  value: asText(row.value),
  revision: asNumber(row.revision),
  untilMs: row.until_ms === null ? null : asNumber(row.until_ms),
})

/** What is there, and not over. */
export function find(kept: KeptStatements, key: string, nowMs: number): KeptValue | undefined {
  const row = kept.value.get(key)
  if (row === undefined) return undefined
  const value = keptValue(row)
  return value.untilMs === null || value.untilMs > nowMs ? value : undefined
}

export const entryOf = ({ key, value, revision, untilMs }: KeptValue, nowMs: number): KeyEntry =>
  Object.freeze({ key, value, revision, ...(untilMs !== null && { remainingMs: untilMs - nowMs }) })

export function put(kept: KeptStatements, key: string, value: string, untilMs: number | null): number {
  const revision = nextIn(kept, 'revision')
  kept.putValue.run(key, value, revision, untilMs)
  return revision
}

/** Deletes, and leaves word for those who watch. */
export function drop(kept: KeptStatements, key: string, nowMs: number): void {
  kept.dropValue.run(key)
  kept.addGone.run(nextIn(kept, 'revision'), key, nowMs)
}

/** Deletes keys whose time is over; answers whether there were any. */
export function dropEnded(kept: KeptStatements, nowMs: number, most: number): boolean {
  const ended = kept.endedValues.all(nowMs, most)
  for (const row of ended) drop(kept, asText(row.key), nowMs)
  return ended.length > 0
}

/** Each write clears away a little more than it can leave behind. */
export function trim(kept: KeptStatements, nowMs: number): void {
  dropEnded(kept, nowMs, TRIMMED)
  const old = kept.oldestGone.all(2 * TRIMMED).filter((row) => asNumber(row.gone_ms) < nowMs - GONE_KEPT_MS)
  const last = old.at(-1)
  if (last === undefined) return
  kept.dropGone.run(asNumber(last.revision))
  kept.raise.run(asNumber(last.revision), 'revision_gone')
}
