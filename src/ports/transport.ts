import type { HoldfastError } from '../core/errors.ts'

/** A message as a transport carries it: texts and numbers only. Also the shape in which durable engines keep it. */
export interface TransportMessage {
  /** Publishing an id again means the same message. */
  readonly id: string
  /** The event's name: what groups are bound to. */
  readonly name: string
  /** Version of the event's schema, from 1. */
  readonly version: number
  /** Messages of one key are related; absent: with none. */
  readonly key?: string
  /** JSON text. */
  readonly data: string
  /** Wall-clock milliseconds since 1970 at the publisher. */
  readonly publishedEpochMs: number
  /** Of no use to anybody after this, in the same unit. */
  readonly expiresEpochMs?: number
  /** `traceparent`, `tracestate`, `baggage`, `correlationid`, `causationid`, `tenant`, `source`: names in lower case. */
  readonly attributes: Readonly<Record<string, string>>
}

/** What became of one published message. */
export type PublishVerdict =
  | { readonly result: 'confirmed' }
  /** `none`: certainly in no queue. `unknown`: perhaps in some. */
  | { readonly result: 'none' | 'unknown'; readonly error: HoldfastError }

/** Who publishes: a `Context` is one. `signal` is read only where the call has to wait. */
export interface Publisher {
  readonly aborted: boolean
  readonly signal: AbortSignal
}

/** One queue: every message of `name`, once for the whole group. */
export interface GroupAddress {
  readonly name: string
  readonly group: string
}

/** What was tried with a message so far; the transport keeps it beside the message and gives it no meaning. */
export interface Tries {
  /** The attempt this delivery is for, from 1. */
  readonly attempt: number
  /** How often in a row the attempt was put off by a refusal. */
  readonly refused: number
  /** When the first attempt began, in wall-clock milliseconds since 1970. */
  readonly firstEpochMs?: number
}

/** One hand-out of one message; settled by this very object. */
export interface Delivery {
  readonly message: TransportMessage
  readonly tries: Tries
}

/** Why a message was given up; JSON. */
export interface DeadReason {
  /** `failed`: attempts used up, or not worth another. `invalid`: not what the schema says. `refused`: put off too often. `expired`: too late. */
  readonly code: 'failed' | 'invalid' | 'refused' | 'expired'
  readonly message: string
  /** Attempts that were made. */
  readonly attempts: number
  readonly error?: { readonly name: string; readonly message: string; readonly code?: string; readonly stack?: string }
  readonly issues?: readonly { readonly path: string; readonly message: string }[]
}

export type Settlement = { readonly delivery: Delivery } & (
  | { readonly as: 'ack' }
  /** Comes back in `delayMs` at the earliest, with these tries. */
  | { readonly as: 'retry'; readonly delayMs: number; readonly tries: Tries }
  | { readonly as: 'dead'; readonly reason: DeadReason }
  /** Comes back at once, as if it had never been handed out. */
  | { readonly as: 'release' }
)

export interface SubscribeOptions {
  /** Receives while every older subscription of the group is closed, so that one process sees the whole order. Default false. */
  readonly exclusive?: boolean
  /** Takes deliveries, at most as many as there are credits; never throws. */
  readonly deliver: (deliveries: readonly Delivery[]) => void
}

export interface TransportSubscription {
  /** Allows that many more deliveries; a whole number of at least 0. Starts at 0; each delivery uses one. */
  credit(count: number): void
  /** Answers each settlement on its own, in order; `stale`: no longer held by this subscription, nothing changed. */
  settle(settlements: readonly Settlement[]): Promise<readonly ('settled' | 'stale')[]>
  /** Hands out nothing from now on; what was handed out can still be settled. */
  drain(): void
  /** Drains, and returns what is unsettled. Idempotent. */
  close(): Promise<void>
}

export interface DeadRecord extends GroupAddress {
  /** Of this death, not of the message: sorts in the order of dying. */
  readonly id: string
  readonly message: TransportMessage
  readonly reason: DeadReason
  readonly diedEpochMs: number
}

export interface DeadFilter {
  readonly name?: string
  readonly group?: string
  /** At most this many, 1 to 1,000. */
  readonly limit: number
  /** Only what sorts after this one: pass the last id of the page before. */
  readonly afterId?: string
}

/** Messages that were given up, oldest first. */
export interface DeadStore {
  list(filter: DeadFilter): Promise<readonly DeadRecord[]>
  /** How many were put back; ids that are not here are passed over. */
  replay(ids: readonly string[]): Promise<number>
  delete(ids: readonly string[]): Promise<number>
}

export interface GroupStats extends GroupAddress {
  /** Ready to be handed out. */
  readonly ready: number
  readonly unsettled: number
  /** Waiting for their retry. */
  readonly delayed: number
}

export interface TransportStats {
  readonly groups: readonly GroupStats[]
  readonly dead: number
  /** Dead letters that were dropped to make room, ever. */
  readonly deadDropped: number
  /** Publishers that wait for room. */
  readonly waiting: number
}

/**
 * Carries messages from publishers to groups of consumers. Promises, each a case of the contract kit:
 *
 * 1. `open` and `close` count: the transport closes with as many `close` as there were `open`, further ones do nothing. While it is not
 *    open, `publish` answers `none` and everything else rejects, both with `NOT_STARTED`. What it holds stays, as far as the engine keeps it.
 * 2. `ensure` makes the groups that are missing and leaves the others as they are. A group gets what is published from then on.
 * 3. `publish` answers each message on its own, in order. `confirmed`: it is in the queue of every group of its name, once. `none`: in none.
 * 4. A message whose name has no group is confirmed and dropped.
 * 5. An id that was confirmed a short while ago (the engine says how long) is confirmed again and not queued again.
 * 6. Queues are bounded. Where one is full `publish` waits, first come first served, or is refused (`QUEUE_FULL`); a wait ends with the
 *    publisher's signal (`ABORTED`, `DEADLINE`), the transport's limit (`QUEUE_TIMEOUT`) or its closing, each time with `none`.
 * 7. A subscription never has more deliveries than it was given credits, and none after `drain`. Each message is with one subscription of
 *    its group at a time.
 * 8. A group's messages are handed out in the order they were confirmed. What came back (released, returned by a close, its delay over)
 *    goes before everything that was confirmed later.
 * 9. `ack` removes the message. `retry` hands it out again with the given tries and not before its delay. `release` hands it out again with
 *    the tries it had. `dead` moves it to the dead letters in one step.
 * 10. `close` of a subscription releases what it has not settled; settling that later answers `stale` and changes nothing.
 * 11. While the oldest subscription of a group is `exclusive` it alone receives; the next one takes over when it closes.
 * 12. Dead letters are listed oldest first. `replay` puts them at the end of their group as if new, all that are there or, where there is no
 *     room, none (`QUEUE_FULL`). They are bounded: the oldest gives way to the newest, and is counted in `deadDropped`.
 * 13. What is handed out is what was published, whatever the publisher did to its object meanwhile; nobody can change it.
 */
export interface Transport {
  /** `memory`, … */
  readonly engine: string
  /** What the engine cannot do, and why, in words for an error. */
  readonly cannot: { readonly transactions?: string; readonly durability?: string }
  open(signal?: AbortSignal): Promise<void>
  ensure(groups: readonly GroupAddress[]): Promise<void>
  publish(messages: readonly TransportMessage[], publisher?: Publisher): Promise<readonly PublishVerdict[]>
  subscribe(address: GroupAddress, options: SubscribeOptions): Promise<TransportSubscription>
  readonly dead: DeadStore
  stats(): Promise<TransportStats>
  close(): Promise<void>
}
