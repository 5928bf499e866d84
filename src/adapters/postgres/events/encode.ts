import { type CheckedRequest, type CheckedWrite, requestHash } from '../../event-shared/checked.ts'
import type { CheckedQuery } from '../../event-shared/condition.ts'
import type { CheckedEvent } from '../../event-shared/event.ts'
import type { SqlText } from '../../sql-shared/runner.ts'
import { numberArray, textArray } from './arrays.ts'
import { EXPECT } from './sql/status.ts'

/** Names that requests share, each once, with its place from 1. */
class Names {
  readonly tenants: string[] = []
  readonly names: string[] = []
  readonly #places = new Map<string, number>()

  place(tenant: string, name: string): number {
    const key = `${tenant}\0${name}`
    let place = this.#places.get(key)
    if (place === undefined) {
      place = this.names.push(name)
      this.tenants.push(tenant)
      this.#places.set(key, place)
    }
    return place
  }
}

/** The flat lists of `event_append`. Names are sorted by the caller's order: in a request that waits they have to be sorted. */
class Lists {
  readonly streams = new Names()
  readonly tags = new Names()
  readonly rWrites: number[] = []
  readonly rTags: number[] = []
  readonly rtTag: number[] = []
  readonly wStream: number[] = []
  readonly wExpect: number[] = []
  readonly wEvents: number[] = []
  readonly eWrite: number[] = []
  readonly eNth: number[] = []
  readonly eType: string[] = []
  readonly eId: string[] = []
  readonly eData: string[] = []
  readonly eMetadata: string[] = []
  readonly eTags: SqlText[] = []
  readonly etEvent: number[] = []
  readonly etTag: number[] = []
  readonly kRequest: number[] = []
  readonly kTenant: string[] = []
  readonly kKey: string[] = []
  readonly kHash: string[] = []
  readonly qRequest: number[] = []
  readonly qAfter: bigint[] = []
  readonly qtQuery: number[] = []
  readonly qtTag: number[] = []
  readonly cQueries: SqlText[] = []
  readonly cAfter: bigint[] = []
  readonly cTenant: string[] = []
  readonly xRequest: number[] = []
  readonly xEarlier: number[] = []
  conditions = 0

  add(request: CheckedRequest): void {
    const { tenant, writes, idempotencyKey } = request
    const number = this.rWrites.push(writes.length)
    const tags = new Set<number>()
    for (const write of writes) this.#write(tenant, write, tags)
    this.#condition(request, number, tags)
    for (const tag of tags) this.rtTag.push(tag)
    this.rTags.push(tags.size)
    if (idempotencyKey === undefined) return
    this.kRequest.push(number)
    this.kTenant.push(tenant)
    this.kKey.push(idempotencyKey)
    this.kHash.push(requestHash(request))
  }

  #write(tenant: string, { stream, expect, events }: CheckedWrite, touched: Set<number>): void {
    const write = this.wStream.push(this.streams.place(tenant, stream))
    this.wExpect.push(expected(expect))
    this.wEvents.push(events.length)
    for (let i = 0; i < events.length; i++) {
      const { type, id, data, metadata, tags } = events[i] as CheckedWrite['events'][number]
      this.eWrite.push(write)
      this.eNth.push(i + 1)
      this.eType.push(type)
      this.eId.push(id)
      this.eData.push(data)
      this.eMetadata.push(metadata)
      this.eTags.push(tags.length === 0 ? null : textArray(tags))
      for (const tag of tags) {
        const place = this.tags.place(tenant, tag)
        touched.add(place)
        this.etEvent.push(this.eWrite.length)
        this.etTag.push(place)
      }
    }
  }

  #condition({ tenant, condition }: CheckedRequest, number: number, touched: Set<number>): void {
    this.cTenant.push(tenant)
    this.cAfter.push(condition?.after ?? 0n)
    this.cQueries.push(condition === undefined ? null : JSON.stringify(condition.queries))
    if (condition === undefined) return
    this.conditions += 1
    if (condition.queries === 'whole-log') return
    for (const { tags } of condition.queries) {
      const query = this.qRequest.push(number)
      this.qAfter.push(condition.after)
      for (const tag of tags) {
        const place = this.tags.place(tenant, tag)
        touched.add(place)
        this.qtQuery.push(query)
        this.qtTag.push(place)
      }
    }
  }

  /** In the order of `APPEND_PARAMETERS`; what no request has is null, and nothing is done for it. */
  bound(id: string, waitMs: number): SqlText[] {
    const { streams, tags } = this
    const core = [textArray(streams.tenants), textArray(streams.names), ...[this.rWrites, this.wStream, this.wExpect, this.wEvents].map(numberArray)]
    const events = [numberArray(this.eWrite), numberArray(this.eNth), ...[this.eType, this.eId, this.eData, this.eMetadata].map(textArray)]
    const eventTags = this.etTag.length === 0 ? null : textArray(this.eTags)
    const keys =
      this.kKey.length === 0 ? nulls(4) : [numberArray(this.kRequest), textArray(this.kTenant), textArray(this.kKey), textArray(this.kHash)]
    const tagged =
      tags.names.length === 0
        ? nulls(4)
        : [textArray(tags.tenants), textArray(tags.names), numberArray(this.rTags), numberArray(this.rtTag)]
    const eventTagged = this.etTag.length === 0 ? nulls(2) : [numberArray(this.etEvent), numberArray(this.etTag)]
    const queries =
      this.qtTag.length === 0 ? nulls(4) : [this.qRequest, this.qAfter, this.qtQuery, this.qtTag].map((list) => numberArray(list))
    const conditions = this.conditions === 0 ? nulls(3) : [textArray(this.cTenant), textArray(this.cQueries), numberArray(this.cAfter)]
    const clashes = this.xRequest.length === 0 ? nulls(2) : [numberArray(this.xRequest), numberArray(this.xEarlier)]
    return [id, String(waitMs), ...core, ...events, eventTags, ...keys, ...tagged, ...eventTagged, ...queries, ...conditions, ...clashes]
  }
}

const nulls = (count: number): null[] => Array.from({ length: count }, () => null)

function expected(expect: CheckedWrite['expect']): number {
  if (typeof expect === 'number') return expect
  return expect === 'none' ? 0 : EXPECT[expect]
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
