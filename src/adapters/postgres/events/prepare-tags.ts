import { HoldfastError } from '../../../core/errors.ts'
import type { CheckedRequest } from '../../event-shared/checked.ts'
import type { PgClient } from '../client/client.ts'
import { certainlyNone } from '../client/leaving.ts'
import { textArray } from './arrays.ts'
import type { EventStatements } from './statements.ts'

/** So many names without a row may one request hold in the server's lock table. */
const NEW_TAGS_MAX = 64
const LOCK_MAX_MS = 250

/**
 * Commits rows for the tags of a request that has many, some at a time, so that they are rows when it asks for them. A tag without events is
 * nothing that anybody sees.
 */
export async function prepareTags(client: PgClient, statements: EventStatements, request: CheckedRequest): Promise<void> {
  const tags = tagsOf(request)
  for (let at = 0; tags.length > NEW_TAGS_MAX && at < tags.length; at += NEW_TAGS_MAX) {
    const values = [request.tenant, textArray(tags.slice(at, at + NEW_TAGS_MAX)), String(LOCK_MAX_MS)]
    try {
      await client.transaction((connection) => connection.query(statements.tags, values), { call: 'append', writes: true })
    } catch (error) {
      // Whether they are there or not, of the request nothing is.
      throw error instanceof HoldfastError ? certainlyNone(error) : error
    }
  }
}

/** Counts those that occur twice, too: quick, and enough to tell that there are few. */
export function hasManyTags({ writes, condition }: CheckedRequest): boolean {
  let count = 0
  for (const { events } of writes) for (const { tags } of events) count += tags.length
  if (condition !== undefined && condition.queries !== 'whole-log') for (const { tags } of condition.queries) count += tags.length
  return count > NEW_TAGS_MAX
}

/** In the order in which everybody takes them. */
function tagsOf({ writes, condition }: CheckedRequest): string[] {
  const tags = new Set<string>()
  for (const { events } of writes) for (const event of events) for (const tag of event.tags) tags.add(tag)
  if (condition !== undefined && condition.queries !== 'whole-log')
    for (const query of condition.queries) for (const tag of query.tags) tags.add(tag)
  return [...tags].sort()
}
