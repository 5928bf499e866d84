import type { CheckedRequest } from '../../event-shared/checked.ts'
import type { CheckedQuery } from '../../event-shared/condition.ts'
import type { CheckedEvent } from '../../event-shared/event.ts'
import type { SqlText } from '../../sql-shared/runner.ts'
import { textArray } from './arrays.ts'
import { expected, Lists } from './lists.ts'

/** The values of one that is events for one stream and nothing else, in the order of `ONE_PARAMETERS`; of any other there are none. */
export function encodePlain(id: string, { tenant, writes, condition, idempotencyKey }: CheckedRequest): SqlText[] | undefined {
  const [write] = writes
  if (write === undefined || writes.length > 1 || condition !== undefined || idempotencyKey !== undefined) return undefined
  const { stream, expect, events } = write
  if (events.length === 0 || events.some(({ tags }) => tags.length > 0)) return undefined
  const column = (of: (event: CheckedEvent) => string): string => textArray(events.map(of))
  return [
    id,
    tenant,
    stream,
    String(expected(expect)),
    column(({ type }) => type),
    column((event) => event.id),
    column(({ data }) => data),
    column(({ metadata }) => metadata),
  ]
}

/** The values of a batch that waits for nothing. */
export function encodeBatch(id: string, requests: readonly CheckedRequest[]): SqlText[] {
  const lists = new Lists()
  for (const request of requests) lists.add(request)
  if (lists.conditions > 0) addClashes(lists, requests)
  return lists.bound(id, 0)
}

/** The values of one request that waits for what it needs: in the order in which everybody does. */
export function encodeOne(id: string, request: CheckedRequest, waitMs: number): SqlText[] {
  const lists = new Lists()
  const { tenant, writes, condition } = request
  for (const stream of writes.map((write) => write.stream).sort()) lists.streams.place(tenant, stream)
  const tags = writes.flatMap((write) => write.events.flatMap((event) => event.tags))
  if (condition !== undefined && condition.queries !== 'whole-log') for (const query of condition.queries) tags.push(...query.tags)
  for (const tag of tags.sort()) lists.tags.place(tenant, tag)
  lists.add(request)
  return lists.bound(id, waitMs)
}

/** Pairs of a condition and an earlier request of the batch whose events it would match: the server asks whether that one was accepted. */
function addClashes(lists: Lists, requests: readonly CheckedRequest[]): void {
  const writers = new Map<string, number[]>()
  for (const [i, { tenant, writes, condition }] of requests.entries()) {
    const { queries } = condition ?? {}
    if (queries !== undefined && queries !== 'whole-log') {
      const earlier = new Set(queries.flatMap((query) => writers.get(`${tenant}\0${query.tags[0]}`) ?? []))
      for (const e of earlier) {
        if (!wouldMatch(requests[e] as CheckedRequest, queries)) continue
        lists.xRequest.push(i + 1)
        lists.xEarlier.push(e + 1)
      }
    }
    const tags = new Set(writes.flatMap(({ events }) => events.flatMap((event) => event.tags)))
    for (const tag of tags) {
      const key = `${tenant}\0${tag}`
      const before = writers.get(key)
      if (before === undefined) writers.set(key, [i])
      else before.push(i)
    }
  }
}

const wouldMatch = ({ writes }: CheckedRequest, queries: readonly CheckedQuery[]): boolean =>
  writes.some(({ events }) => events.some((event) => queries.some((query) => matches(event, query))))

const matches = ({ type, tags }: CheckedEvent, query: CheckedQuery): boolean =>
  (query.types === undefined || query.types.includes(type)) && query.tags.every((tag) => tags.includes(tag))
