import { invalidOption } from '../core/options.ts'
import type { TallyCounts } from './tally.ts'

/**
 * A breaker at one moment, as JSON: what a process hands to the one that follows it.
 *
 * | field | type | |
 * |---|---|---|
 * | `version` | 1 | |
 * | `state` | text | `closed`, `open` or `half-open`; what lies beneath an isolation, which is not kept |
 * | `openRemainingMs` | number, ms | until probes are let through; 0 unless open |
 * | `openMs` | number, ms | how long it stays open, or stayed the last time; what the next time grows from |
 * | `windows` | array, may be absent | per trip its `kind` and totals: `calls`, `failures`, and with `slowCallMs` `timed`, `slow` |
 */
export interface BreakerSnapshot {
  readonly version: 1
  readonly state: 'closed' | 'open' | 'half-open'
  readonly openRemainingMs: number
  readonly openMs: number
  readonly windows?: readonly TallyCounts[]
}

const STATES: readonly unknown[] = ['closed', 'open', 'half-open']
const KINDS: readonly unknown[] = ['consecutive', 'count-window', 'time-window']
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null
const isMs = (value: unknown): boolean => typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= 0xffff_ffff

function isCounts(value: unknown): boolean {
  if (!isObject(value) || !KINDS.includes(value.kind)) return false
  const { calls, failures, timed = 0, slow = 0 } = value
  if (![calls, failures, timed, slow].every(isCount)) return false
  return (failures as number) <= (calls as number) && (slow as number) <= (timed as number)
}

/** Reads what comes from outside. @throws {HoldfastError} `INVALID_OPTIONS` (effect none). */
export function readSnapshot(owner: string, given: unknown): BreakerSnapshot {
  const refuse = (must: string, what: unknown): Error => invalidOption(owner, 'snapshot', must, what)
  if (!isObject(given)) throw refuse('made by snapshot()', given)
  if (given.version !== 1) throw refuse('of version 1', given.version)
  if (!STATES.includes(given.state)) throw refuse("in state 'closed', 'open' or 'half-open'", given.state)
  if (!isMs(given.openRemainingMs) || !isMs(given.openMs))
    throw refuse('with times of at least 0 ms', `${given.openRemainingMs}, ${given.openMs}`)
  const { windows } = given
  if (windows !== undefined && !(Array.isArray(windows) && windows.every(isCounts))) throw refuse('with windows of whole totals', windows)
  return given as unknown as BreakerSnapshot
}
