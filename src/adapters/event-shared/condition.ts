import { show } from '../../core/options.ts'
import type { AppendCondition, EventQuery } from '../../ports/event-store.ts'
import { invalidInput, tooLarge } from '../storage-shared/refusals.ts'
import { checkShort, checkTags } from './event.ts'
import { QUERIES_MAX } from './limits.ts'

/** A query with its types and tags sorted, each once; `types` undefined: any. */
export interface CheckedQuery {
  readonly types: readonly string[] | undefined
  readonly tags: readonly string[]
}

export interface CheckedCondition {
  readonly queries: readonly CheckedQuery[] | 'whole-log'
  readonly after: bigint
}

export function checkQuery(what: string, query: EventQuery): CheckedQuery {
  if (typeof query !== 'object' || query === null) throw invalidInput(what, 'a query with types or tags', show(query))
  const { types } = query
  if (types !== undefined && !Array.isArray(types)) throw invalidInput(`${what}: types`, 'a list of texts', show(types))
  for (const type of types ?? []) checkShort(`${what}: a type`, type)
  return { types: types === undefined ? undefined : [...new Set(types)].sort(), tags: checkTags(`${what}: tags`, query.tags) }
}

export function checkPosition(what: string, position: unknown): asserts position is bigint {
  if (typeof position !== 'bigint' || position < 0n || position >= 2n ** 63n)
    throw invalidInput(what, 'a position (a bigint of at least 0n)', show(position))
}

export function checkCondition(what: string, condition: AppendCondition): CheckedCondition {
  if (typeof condition !== 'object' || condition === null) throw invalidInput(what, 'a condition with queries and after', show(condition))
  const { queries, after } = condition
  checkPosition(`${what}: after`, after)
  if (queries === 'whole-log') return { queries, after }
  if (!Array.isArray(queries) || queries.length === 0)
    throw invalidInput(`${what}: queries`, "a list of queries, or 'whole-log'", show(queries))
  if (queries.length > QUERIES_MAX) throw tooLarge(`${what}: queries`, `at most ${QUERIES_MAX}`, `${queries.length}`)
  const checked = queries.map((query, i) => checkQuery(`${what}: queries[${i}]`, query))
  const vague = checked.findIndex(({ tags }) => tags.length === 0)
  if (vague >= 0)
    throw invalidInput(`${what}: queries[${vague}]`, "with at least one tag (or all queries 'whole-log')", show(queries[vague]))
  return { queries: checked, after }
}
