import type { CheckedRequest } from '../../event-shared/checked.ts'
import type { PgClient } from '../client/client.ts'
import { textArray } from './arrays.ts'
import type { EventStatements } from './statements.ts'

/** So many names without a row may one request hold in the server's lock table. */
const NEW_TAGS_MAX = 64

function tagsOf({ writes, condition }: CheckedRequest): Set<string> {
  const tags = new Set<string>()
  for (const { events } of writes) for (const event of events) for (const tag of event.tags) tags.add(tag)
  if (condition !== undefined && condition.queries !== 'whole-log')
    for (const query of condition.queries) for (const tag of query.tags) tags.add(tag)
  return tags
}

/** Quick where there are few: events with two tags at most of which there are few. */
export const hasManyTags = (request: CheckedRequest): boolean => mayHaveMany(request) && tagsOf(request).size > NEW_TAGS_MAX

const mayHaveMany = ({ writes, condition }: CheckedRequest): boolean => {
  let tags = 0
  for (const { events } of writes) for (const event of events) tags += event.tags.length
  if (condition !== undefined && condition.queries !== 'whole-log') for (const query of condition.queries) tags += query.tags.length
  return tags > NEW_TAGS_MAX
}

/** Commits rows for the tags of a request that has many, so that they are rows when it asks for them. */
export async function prepareTags(
  client: PgClient,
  { tags }: EventStatements,
  request: CheckedRequest,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (!hasManyTags(request)) return
  const values = [request.tenant, textArray([...tagsOf(request)])]
  await client.transaction((connection) => connection.query(tags, values), { call: 'append', writes: true, signal })
}
