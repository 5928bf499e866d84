import type { Emitter, EventMap, Events } from '../core/events.ts'
import type { Recovery } from '../core/handler.ts'
import type { Part } from '../core/inside.ts'
import { invalidOption } from '../core/options.ts'
import { makePolicy, policyKind } from '../core/policy.ts'
import { ownerOf } from '../core/policy-inside.ts'
import { register } from './metrics.ts'

/** What every policy of holdfast can be asked and told while it works. */
export interface Managed<Stats extends object, Options extends object, E extends EventMap> extends Events<E> {
  /** The `name` option. */
  readonly name: string
  /** Counters since it was made, and gauges of now. A new object each time. */
  stats(): Stats
  /**
   * Changes options while calls are in flight; what is not named stays. Windows, slots and queues are kept.
   *
   * @throws {HoldfastError} `INVALID_OPTIONS` (effect none), and nothing has changed.
   */
  reconfigure(changes: Partial<Options>): void
}

/** What stands behind a managed policy. */
export interface Owner<Stats extends object, E extends EventMap> {
  readonly name: string
  readonly events: Emitter<E>
  stats(): Stats
  reconfigure(changes: object): void
}

type AnyOwner = Owner<object, EventMap>

/** Every event of a kind, none left out. */
export type EventNames<E extends EventMap> = { readonly [N in keyof E]: true }

/** Whoever listens for what never happens waits for ever: @throws {HoldfastError} `INVALID_OPTIONS` (effect none). */
export function checkEvent(owner: string, names: object, name: unknown): void {
  if (typeof name !== 'string' || !Object.hasOwn(names, name))
    throw invalidOption(owner, 'the event', `one of ${Object.keys(names).join(', ')}`, name)
}

const membersOf = (names: object) => ({
  stats(): object {
    return ownerOf<AnyOwner>(this).stats()
  },
  reconfigure(changes: object): void {
    ownerOf<AnyOwner>(this).reconfigure(changes)
  },
  on(...args: Parameters<Events<EventMap>['on']>): () => void {
    const { name, events } = ownerOf<AnyOwner>(this)
    checkEvent(`on of ${name}`, names, args[0])
    return events.on(...args)
  },
  once(...args: Parameters<Events<EventMap>['once']>): () => void {
    const { name, events } = ownerOf<AnyOwner>(this)
    checkEvent(`once of ${name}`, names, args[0])
    return events.once(...args)
  },
})

/** The prototype of a kind of managed policy; `more` adds getters and methods, which find their owner with `ownerOf(this)`. */
export const managedKind = <E extends EventMap>(names: EventNames<E>, more: object = {}): object =>
  policyKind(
    Object.defineProperties({}, { ...Object.getOwnPropertyDescriptors(membersOf(names)), ...Object.getOwnPropertyDescriptors(more) }),
  )

/** Makes a managed policy of one part, and makes its numbers readable through `metrics()`. */
export function managed<P extends Recovery<unknown>>(type: string, part: Part, kind: object): P {
  const policy = makePolicy<P>([part], kind, ownerName(part))
  register(type, ownerOf<AnyOwner>(policy))
  return policy
}

const ownerName = (part: Part): string => ('guard' in part ? part.guard.name : part.name)
