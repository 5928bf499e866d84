import { abortedError } from '../core/abort-errors.ts'
import type { Clock } from '../core/clock.ts'
import { type Ctx, freshCtx } from '../core/ctx.ts'
import { diagnostics } from '../core/diagnostics.ts'
import { Emitter } from '../core/events.ts'
import type { Next } from '../core/frame/types.ts'
import { checkOptions, type Read } from '../core/options.ts'
import { durationMs, optional, required, whole } from '../core/rules.ts'
import { markSource } from '../core/source.ts'
import type { CacheEvents, CacheStats } from './cache-options.ts'
import { type CallKey, keyReader } from './call-key.ts'
import { Flight } from './flight.ts'
import { KeyTable } from './key-table.ts'
import type { Owner } from './managed.ts'

const ttlMs = durationMs({ min: 1, default: 1 })
const keysMax = whole({ min: 1, default: 1_000 })
const staleIfErrorMs = durationMs({ default: 0 })
export const settings = { ttlMs: required(ttlMs), staleIfErrorMs, keysMax }
const changeable = { ttlMs: optional(ttlMs), staleIfErrorMs: optional(staleIfErrorMs), keysMax: optional(keysMax) }

interface Kept {
  value: unknown
  storedMs: number
}

type Settings = Read<typeof settings>

export class CacheOwner implements Owner<CacheStats, CacheEvents> {
  readonly name: string
  readonly events = new Emitter<CacheEvents>()
  readonly #clock: Clock
  readonly #keyOf: (ctx: Ctx, input: unknown) => string | undefined
  readonly #kept: KeyTable<Kept>
  readonly #flights = new Map<string, Flight>()
  #settings: Settings
  #handlers = 0
  #hits = 0
  #misses = 0
  #stale = 0

  constructor(options: Settings & { readonly by: CallKey; readonly name: string; readonly clock: Clock }) {
    const { by, name, clock, ...own } = options
    this.name = name
    this.#clock = clock
    this.#keyOf = keyReader(name, by)
    this.#settings = own
    this.#kept = new KeyTable(own.keysMax, own.ttlMs + own.staleIfErrorMs, () => {})
  }

  stats(): CacheStats {
    return { entries: this.#kept.size, hits: this.#hits, misses: this.#misses, stale: this.#stale }
  }

  reconfigure(changes: object): void {
    const checked = checkOptions(`cache ${this.name}`, changes, changeable)
    const { ttlMs = this.#settings.ttlMs, staleIfErrorMs = this.#settings.staleIfErrorMs, keysMax = this.#settings.keysMax } = checked
    this.#settings = { ttlMs, staleIfErrorMs, keysMax }
    this.#kept.keysMax = keysMax
    this.#kept.idleMs = ttlMs + staleIfErrorMs
    this.#kept.shrink()
  }

  forget(key: string | undefined): void {
    const gone = (place: string): boolean => key === undefined || place.slice(place.indexOf(':') + 1) === key
    for (const place of this.#kept.keys()) if (gone(place)) this.#kept.forget(place)
    // An answer that is on its way was asked for before this; it is given to those who wait, and not kept.
    for (const place of this.#flights.keys()) if (gone(place)) this.#flights.delete(place)
  }

  readonly wrap = (next: Next): Next => {
    const handler = ++this.#handlers
    return (input, given) => {
      const ctx = given ?? freshCtx()
      let key: string | undefined
      try {
        key = this.#keyOf(ctx, input)
      } catch (error) {
        return Promise.reject(error)
      }
      return key === undefined ? next(input, ctx) : this.#answer(`${handler}:${key}`, key, next, input, ctx)
    }
  }

  #answer(place: string, key: string, next: Next, input: unknown, ctx: Ctx): Promise<unknown> {
    const nowMs = this.#clock.nowMs()
    const kept = this.#kept.use(place, nowMs)?.value
    if (kept !== undefined && nowMs - kept.storedMs < this.#settings.ttlMs) {
      this.#hits += 1
      this.#tell('hit', { name: this.name, key })
      markSource(ctx, 'cache')
      return Promise.resolve(kept.value)
    }
    if (ctx.aborted) return Promise.reject(abortedError(ctx, false))
    this.#misses += 1
    this.#tell('missed', { name: this.name, key })
    const asked = this.#ask(place, next, input, ctx)
    return kept === undefined ? asked : asked.then(undefined, (error: unknown) => this.#orStale(kept, key, error, ctx))
  }

  #ask(place: string, next: Next, input: unknown, ctx: Ctx): Promise<unknown> {
    let flight = this.#flights.get(place)
    if (flight === undefined) flight = this.#depart(place, next, input, ctx)
    const own = flight
    return own.board(ctx, () => this.#landed(place, own))
  }

  #depart(place: string, next: Next, input: unknown, ctx: Ctx): Flight {
    const flight = new Flight(next, input, ctx)
    this.#flights.set(place, flight)
    flight.landed.then(
      (value) => {
        if (this.#landed(place, flight)) this.#keep(place, value)
      },
      () => this.#landed(place, flight),
    )
    return flight
  }

  /** False where the flight was forgotten, or deserted and followed by another. */
  #landed(place: string, flight: Flight): boolean {
    return this.#flights.get(place) === flight && this.#flights.delete(place)
  }

  #keep(place: string, value: unknown): void {
    const nowMs = this.#clock.nowMs()
    const known = this.#kept.use(place, nowMs)
    if (known !== undefined) {
      known.value.value = value
      known.value.storedMs = nowMs
    } else if (this.#kept.makeRoom()) this.#kept.add(place, { value, storedMs: nowMs }, nowMs)
  }

  /** The work failed: what was kept serves, unless it is too old or nobody waits any more. */
  #orStale(kept: Kept, key: string, error: unknown, ctx: Ctx): unknown {
    const { ttlMs, staleIfErrorMs } = this.#settings
    if (ctx.aborted || this.#clock.nowMs() - kept.storedMs >= ttlMs + staleIfErrorMs) throw error
    this.#stale += 1
    this.#tell('stale', { name: this.name, key, error })
    markSource(ctx, 'stale')
    return kept.value
  }

  #tell<E extends keyof CacheEvents>(event: E, message: CacheEvents[E]): void {
    this.events.emit(event, message)
    if (diagnostics.policy.hasSubscribers) diagnostics.policy.publish({ policy: 'cache', event, ...message })
  }
}
