/** A list is cleared of gone places once there are this many of them and they are half of it. */
const GONE_MIN = 1_024

interface List {
  places: number[]
  gone: number
}

/** What a list of places is kept for; `*` as the tenant: of all. Neither tenants nor types nor tags have a NUL. */
const keysOf = (tenant: string, term: string): readonly [string, string] => [`${tenant}\0${term}`, `*\0${term}`]

export const EVERY = ''
export const typeTerm = (type: string): string => `=${type}`
export const tagTerm = (tag: string): string => `#${tag}`

/** Which places of the log have a type or a tag, each list ascending, so that a filtered read looks only at what may match. */
export class EventIndex {
  readonly #lists = new Map<string, List>()

  /** `place` is above all that were added before. */
  add(tenant: string, term: string, place: number): void {
    for (const key of keysOf(tenant, term)) {
      const list = this.#lists.get(key)
      if (list === undefined) this.#lists.set(key, { places: [place], gone: 0 })
      else list.places.push(place)
    }
  }

  /** Says that one place of the term is gone; `isThere` tells which ones are not. */
  drop(tenant: string, term: string, isThere: (place: number) => boolean): void {
    for (const key of keysOf(tenant, term)) {
      const list = this.#lists.get(key)
      if (list === undefined) continue
      list.gone += 1
      if (list.gone === list.places.length) this.#lists.delete(key)
      else if (list.gone >= GONE_MIN && list.gone * 2 >= list.places.length) {
        list.places = list.places.filter(isThere)
        list.gone = 0
      }
    }
  }

  of(tenant: string, term: string): readonly number[] {
    return this.#lists.get(`${tenant}\0${term}`)?.places ?? []
  }
}

/** The places above `after` of several ascending lists that share none, in order. */
export function* merged(lists: readonly (readonly number[])[], after: number): Generator<number> {
  const at = lists.map((places) => firstAbove(places, after))
  for (;;) {
    let least = -1
    for (let i = 0; i < lists.length; i++) {
      const place = lists[i]?.[at[i] as number]
      if (place !== undefined && (least < 0 || place < (lists[least]?.[at[least] as number] as number))) least = i
    }
    if (least < 0) return
    yield lists[least]?.[(at[least] as number)++] as number
  }
}

function firstAbove(places: readonly number[], after: number): number {
  let low = 0
  let high = places.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((places[middle] as number) <= after) low = middle + 1
    else high = middle
  }
  return low
}
