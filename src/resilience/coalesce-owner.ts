import { abortedError } from '../core/abort-errors.ts'
import { type Ctx, freshCtx } from '../core/ctx.ts'
import { diagnostics } from '../core/diagnostics.ts'
import { Emitter } from '../core/events.ts'
import type { Next } from '../core/frame/types.ts'
import { checkOptions } from '../core/options.ts'
import { keyReader } from './call-key.ts'
import type { CoalesceEvents, CoalesceOptions, CoalesceStats } from './coalesce-options.ts'
import { Flight } from './flight.ts'
import type { Owner } from './managed.ts'

export class CoalesceOwner implements Owner<CoalesceStats, CoalesceEvents> {
  readonly name: string
  readonly events = new Emitter<CoalesceEvents>()
  readonly #keyOf: (ctx: Ctx, input: unknown) => string | undefined
  #calls = 0
  #joined = 0
  #running = 0

  constructor(options: Required<CoalesceOptions>) {
    const { by, name } = options
    this.name = name
    this.#keyOf = keyReader(name, by)
  }

  stats(): CoalesceStats {
    return { calls: this.#calls, joined: this.#joined, running: this.#running }
  }

  /** Nothing of it can be changed while it works. */
  reconfigure(changes: object): void {
    checkOptions(`coalesce ${this.name}`, changes, {})
  }

  readonly wrap = (next: Next): Next => {
    // One table for each handler: calls of different handlers never share an answer.
    const flights = new Map<string, Flight>()
    return (input, given) => {
      const ctx = given ?? freshCtx()
      this.#calls += 1
      let key: string | undefined
      try {
        key = this.#keyOf(ctx, input)
      } catch (error) {
        return Promise.reject(error)
      }
      return key === undefined ? next(input, ctx) : this.#share(flights, key, next, input, ctx)
    }
  }

  #share(flights: Map<string, Flight>, key: string, next: Next, input: unknown, ctx: Ctx): Promise<unknown> {
    if (ctx.aborted) return Promise.reject(abortedError(ctx, false))
    let flight = flights.get(key)
    if (flight === undefined) flight = this.#depart(flights, key, next, input, ctx)
    else this.#tellJoined(key)
    const own = flight
    return own.board(ctx, () => remove(flights, key, own))
  }

  #depart(flights: Map<string, Flight>, key: string, next: Next, input: unknown, ctx: Ctx): Flight {
    const flight = new Flight(next, input, ctx)
    flights.set(key, flight)
    this.#running += 1
    const landed = (): void => {
      this.#running -= 1
      remove(flights, key, flight)
    }
    flight.landed.then(landed, landed)
    return flight
  }

  #tellJoined(key: string): void {
    this.#joined += 1
    this.events.emit('joined', { name: this.name, key })
    if (diagnostics.policy.hasSubscribers) diagnostics.policy.publish({ policy: 'coalesce', name: this.name, event: 'joined', key })
  }
}

/** A flight that was deserted may have been followed by another of the same key. */
function remove(flights: Map<string, Flight>, key: string, flight: Flight): void {
  if (flights.get(key) === flight) flights.delete(key)
}
