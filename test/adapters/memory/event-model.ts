// The event store as a child would write it: one list, searched from the beginning each time.
import type { AppendRequest } from '../../../src/ports/event-store.ts'

export interface Ask {
  readonly stream: string
  readonly expect: 'none' | 'exists' | 'any' | number
  readonly types: readonly string[]
  readonly tag?: string
  readonly other?: string
  readonly key?: string
  /** What nothing must have come of, and how far behind the head it looks from. */
  readonly unless?: { readonly tag: string; readonly behind: number }
  readonly tenant: string
}

interface Known {
  readonly stream: string
  readonly tenant: string
  readonly version: number
  readonly type: string
  readonly tags: readonly string[]
  position?: number
  gone?: true
  hidden?: true
}

export const requestOf = (ask: Ask, head: number): AppendRequest => {
  const events = ask.types.map((type) => ({ type, data: { type }, tags: tagsOf(ask) }))
  const writes = [{ stream: ask.stream, expect: ask.expect, events }]
  return {
    writes: ask.other === undefined ? writes : [...writes, { stream: ask.other, expect: 'any', events }],
    tenant: ask.tenant,
    ...(ask.key === undefined ? {} : { idempotencyKey: ask.key }),
    ...(ask.unless === undefined ? {} : { condition: { queries: [{ tags: [ask.unless.tag] }], after: BigInt(seenBy(ask, head)) } }),
  }
}

const tagsOf = (ask: Ask): string[] => (ask.tag === undefined ? [] : [ask.tag])
const seenBy = (ask: Ask, head: number): number => Math.max(0, head - (ask.unless?.behind ?? 0))

export class NaiveLog {
  head = 0
  events: Known[] = []
  closed = new Map<string, 'STREAM_ARCHIVED' | 'STREAM_TOMBSTONED'>()
  versions = new Map<string, number>()
  keys = new Map<string, string>()
  tx: { events: Known[]; versions: Map<string, number>; keys: Map<string, string>; held: Set<string> } | undefined

  rows(ask: Ask): string[] {
    const tags = [...(ask.types.length > 0 ? tagsOf(ask) : []), ...(ask.unless === undefined ? [] : [ask.unless.tag])]
    return [
      ...this.streams(ask).map((stream) => `stream ${stream}`),
      ...tags.map((tag) => `tag ${ask.tenant}/${tag}`),
      ...(ask.key === undefined ? [] : [`key ${ask.tenant}/${ask.key}`]),
    ]
  }

  /** What append answers, as a word, and does. */
  ask(ask: Ask, joined: boolean): string {
    if (!joined && this.rows(ask).some((row) => this.tx?.held.has(row))) return 'none STREAM_BUSY'
    if (joined) for (const row of this.rows(ask)) this.tx?.held.add(row)
    const own = joined ? this.tx : undefined
    const version = (stream: string) => own?.versions.get(stream) ?? this.versions.get(stream) ?? 0
    const content = JSON.stringify([ask.stream, ask.types, ask.other, ask.types.length > 0 ? ask.tag : undefined])
    const key = `${ask.tenant}/${ask.key}`
    const known = ask.key === undefined ? undefined : (own?.keys.get(key) ?? this.keys.get(key))
    if (known !== undefined) return known === content ? 'duplicate' : 'none KEY_REUSED'
    for (const stream of this.streams(ask)) {
      const code = this.closed.get(stream)
      if (code !== undefined) return `none ${code}`
    }
    const actual = version(this.streams(ask)[0] ?? '')
    const wanted = ask.expect === 'any' || (ask.expect === 'exists' ? actual > 0 : actual === (ask.expect === 'none' ? 0 : ask.expect))
    if (!wanted) return 'conflict stream'
    const after = seenBy(ask, this.head)
    const matches = (event: Known) =>
      !event.gone &&
      !event.hidden &&
      event.tenant === ask.tenant &&
      event.tags.includes(ask.unless?.tag ?? '') &&
      (event.position ?? Infinity) > after
    if (ask.unless !== undefined && [...this.events, ...(own?.events ?? [])].some(matches)) return 'conflict condition'
    if (ask.key !== undefined) (own ?? this).keys.set(key, content)
    for (const [at, stream] of this.streams(ask).entries())
      for (const type of ask.types) {
        const name = at === 0 ? ask.stream : (ask.other ?? '')
        const event: Known = { stream: name, tenant: ask.tenant, version: version(stream) + 1, type, tags: tagsOf(ask) }
        ;(own ?? this).versions.set(stream, event.version)
        if (own === undefined) this.place(event)
        else own.events.push(event)
      }
    return 'ok'
  }

  place(event: Known): void {
    event.position = ++this.head
    this.events.push(event)
  }

  begin(): void {
    this.tx = { events: [], versions: new Map(), keys: new Map(), held: new Set() }
  }

  end(commit: boolean): void {
    if (commit && this.tx !== undefined) {
      for (const [stream, version] of this.tx.versions) this.versions.set(stream, version)
      for (const [key, content] of this.tx.keys) this.keys.set(key, content)
      for (const event of this.tx.events) this.place(event)
    }
    this.tx = undefined
  }

  isHeld = (tenant: string, stream: string): boolean => this.tx?.held.has(`stream ${tenant}/${stream}`) ?? false

  truncate(tenant: string, stream: string, below: number): void {
    for (const event of this.of(tenant, stream)) if (event.version < below) event.gone = true
  }

  close(tenant: string, stream: string, as: 'STREAM_ARCHIVED' | 'STREAM_TOMBSTONED'): boolean {
    const name = `${tenant}/${stream}`
    if (this.closed.get(name) === 'STREAM_TOMBSTONED') return as === 'STREAM_TOMBSTONED'
    this.closed.set(name, as)
    for (const event of this.of(tenant, stream)) {
      if (as === 'STREAM_TOMBSTONED') event.gone = true
      else event.hidden = true
    }
    return true
  }

  of = (tenant: string, stream: string): Known[] => this.events.filter((event) => event.tenant === tenant && event.stream === stream)

  stream = (tenant: string, stream: string): string[] =>
    this.of(tenant, stream)
      .filter(({ gone }) => !gone)
      .map(shown)

  log = (tenant: string, after: number, types?: readonly string[], tag?: string): string[] =>
    this.events
      .filter((event) => !event.gone && !event.hidden && (tenant === '*' || event.tenant === tenant))
      .filter(
        (event) =>
          (event.position ?? 0) > after && (types?.includes(event.type) ?? true) && (tag === undefined || event.tags.includes(tag)),
      )
      .map(shown)

  private streams(ask: Ask): string[] {
    return [ask.stream, ...(ask.other === undefined ? [] : [ask.other])].map((stream) => `${ask.tenant}/${stream}`)
  }
}

interface Shown {
  readonly position?: number | bigint | undefined
  readonly tenant: string
  readonly stream: string
  readonly version: number
  readonly type: string
}

export const shown = ({ position, tenant, stream, version, type }: Shown): string => `${position} ${tenant}/${stream}@${version} ${type}`
