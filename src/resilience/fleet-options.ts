import type { Clock } from '../core/clock.ts'
import { checkOptions, invalidOption } from '../core/options.ts'
import { any, clock, durationMs, optional, random, ratio, required, text, whole } from '../core/rules.ts'
import type { KeyValue } from '../ports/key-value.ts'
import type { Lease } from '../ports/lease.ts'

/** How many instances have to find it failing. */
export type Quorum = number | { readonly share: number; readonly minimum?: number }

export interface FleetOptions {
  /** Stands for it in the store, errors and events: one for all instances of the fleet; 1 to 200 characters, default the breaker's name. */
  readonly name?: string
  /** Where the fleet meets: a storage with both ports, or the two. Opened and closed by you. */
  readonly store: { readonly keyValue?: KeyValue; readonly lease?: Lease }
  /**
   * How many instances have to find it failing for all to stop: a number, or a share of those that are alive, above 0 and at most 1, with
   * a `minimum` (default 2). Default `{ share: 0.5 }`.
   */
  readonly quorum?: Quorum
  /** This instance's name among the others; 1 to 200 characters, unique. Default: a random one. */
  readonly instance?: string
  /** How often it says that it is alive and asks how the fleet is, in milliseconds, 50 to 3,600,000; default 2,000. News come by `watch`, at once. */
  readonly heartbeatMs?: number
  /**
   * How long it believes the last thing it heard, in milliseconds, at least two heartbeats; default five. Then it is alone, and its
   * breaker decides. The others take an instance that is silent for so long for gone.
   */
  readonly staleMs?: number
  /** How long one instance may probe before another may, in milliseconds, 1 to an hour; default 30,000. */
  readonly probeMs?: number
  /** The longest wait for one answer of the store, in milliseconds, at least 1; default 1,000. */
  readonly storeTimeoutMs?: number
  /** Default: the breaker's. */
  readonly clock?: Clock
  readonly random?: () => number
}

export interface CheckedFleet {
  readonly name: string
  readonly keyValue: KeyValue
  readonly lease: Lease
  readonly quorum: { readonly share: number; readonly minimum: number }
  readonly instance: string | undefined
  readonly heartbeatMs: number
  readonly staleMs: number
  readonly probeMs: number
  readonly storeTimeoutMs: number
  readonly clock: Clock
  readonly random: () => number
}

const HEARTBEATS = 5

const rules = {
  name: optional(text('')),
  store: required(
    any<FleetOptions['store']>(
      'a storage with keyValue and lease, or the two: { keyValue, lease }',
      (value) => {
        const { keyValue, lease } = value as FleetOptions['store']
        return typeof keyValue?.put === 'function' && typeof lease?.acquire === 'function'
      },
      {},
    ),
  ),
  quorum: any<Quorum>(
    'a whole number of at least 1, or { share, minimum? }',
    (value) => typeof value === 'object' || (Number.isSafeInteger(value) && (value as number) >= 1),
    { share: 0.5 },
  ),
  instance: optional(text('')),
  heartbeatMs: durationMs({ min: 50, max: 3_600_000, default: 2_000 }),
  staleMs: optional(durationMs({ default: 0 })),
  probeMs: durationMs({ min: 1, max: 3_600_000, default: 30_000 }),
  storeTimeoutMs: durationMs({ min: 1, default: 1_000 }),
  clock: optional(clock),
  random,
}

const shareRules = { share: required(ratio({ min: Number.MIN_VALUE, default: 0.5 })), minimum: whole({ min: 1, default: 2 }) }

export function checkFleet(options: FleetOptions, breaker: { readonly name: string; readonly clock: Clock }): CheckedFleet {
  const { store, quorum, ...read } = checkOptions('fleet', options, rules)
  const { heartbeatMs, staleMs = heartbeatMs * HEARTBEATS } = read
  if (staleMs < heartbeatMs * 2) throw invalidOption('fleet', 'staleMs', `at least two heartbeats (${heartbeatMs * 2})`, staleMs)
  return {
    ...read,
    staleMs,
    name: read.name ?? breaker.name,
    clock: read.clock ?? breaker.clock,
    keyValue: store.keyValue as KeyValue,
    lease: store.lease as Lease,
    quorum: typeof quorum === 'number' ? { share: 0, minimum: quorum } : checkOptions('fleet: quorum', quorum, shareRules),
  }
}
