import type { Context } from '../core/context.ts'
import type { Events } from '../core/events.ts'
import type { Part } from '../ports/part.ts'
import type { BusEvents } from './bus-events.ts'
import type { DeadLetters } from './dead-letters.ts'
import type { EventDefinition } from './event.ts'

export interface PublishOptions {
  /** Publish inside this transaction; refused where the transport has none, as the memory transport. */
  readonly tx?: unknown
  /** Ends a wait for room, and gives the message its correlation, cause, tenant and trace. Default: the ambient one, or none. */
  readonly context?: Context
  /** Publishing the same event under the same key again is the same message: not queued twice while the transport remembers it. 1 to 200 characters. */
  readonly idempotencyKey?: string
  /**
   * A message not handled within this many milliseconds is of no use: it becomes a dead letter (`expired`), and the handler's context has
   * that deadline. At least 1; default: never. The deadline of `context` bounds the publishing only, because an event that happened has still
   * happened when the request that published it is over.
   */
  readonly expiresMs?: number
}

/** Publishes events to the groups that subscribe to them, in this process or wherever the transport reaches. */
export interface EventBus extends Part, Events<BusEvents> {
  readonly name: 'bus'
  /**
   * Publishes one event; resolves when the transport has confirmed it (memory: it is in the queue of every group). An event nobody
   * subscribes to is confirmed and dropped.
   *
   * What is sent is what the schema made of `payload`, as JSON: handlers receive equal copies, never the object itself. Works from `start` until `stop` has ended, so a handler can publish while the bus drains.
   *
   * @returns the message's id.
   * @throws {HoldfastError} `INVALID_INPUT` (none) when the schema says no, with `details.issues` · `NOT_JSON` (none) · `NOT_STARTED` (none) ·
   * `TX_NOT_OPEN` (none) for a `tx` the transport cannot join · `QUEUE_FULL`, `QUEUE_TIMEOUT` (none, later) · `ABORTED`, `DEADLINE` (none)
   * when the context ended first · `INVALID_OPTIONS` (none).
   * @example
   * ```ts
   * await bus.publish(OrderPlaced, { orderId, total })
   * ```
   */
  publish<T>(event: EventDefinition<T>, payload: NoInfer<T>, options?: PublishOptions): Promise<{ readonly id: string }>
  readonly deadLetters: DeadLetters
}
