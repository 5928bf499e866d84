import { type CheckedRequest, type CheckedWrite, requestHash } from '../../event-shared/checked.ts'
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

/** The flat lists of `event_append`. */
export class Lists {
  readonly streams = new Names()
  readonly tags = new Names()
  readonly rWrites: number[] = []
  readonly rTags: number[] = []
  readonly rtTag: number[] = []
  readonly wStream: number[] = []
  readonly wExpect: number[] = []
  readonly wEvents: number[] = []
  readonly wOffset: number[] = []
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
    this.wOffset.push(this.eWrite.length)
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

  /** One write of events to a stream of its own per request, and nothing else. */
  get #isPlain(): boolean {
    const writes = this.wStream.length
    const single = writes === this.rWrites.length && writes === this.streams.names.length && !this.wEvents.includes(0)
    return single && this.tags.names.length === 0 && this.kKey.length === 0 && this.conditions === 0
  }

  /** In the order of `APPEND_PARAMETERS`; what no request has is null, and nothing is done for it. */
  bound(id: string, waitMs: number): SqlText[] {
    const { streams, tags } = this
    const core = [
      textArray(streams.tenants),
      textArray(streams.names),
      String(this.#isPlain),
      ...[this.rWrites, this.wStream, this.wExpect, this.wEvents, this.wOffset].map(numberArray),
    ]
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

export function expected(expect: CheckedWrite['expect']): number {
  if (typeof expect === 'number') return expect
  return expect === 'none' ? 0 : EXPECT[expect]
}
