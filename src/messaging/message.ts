/** One event as a handler receives it; each handler, and each attempt, receives a copy of its own. */
export interface Message<T> {
  /** The same at every attempt, in every group, and in every dead letter. */
  readonly id: string
  /** The event's name. */
  readonly name: string
  /** Version of the schema it was published with. */
  readonly version: number
  /** What the schema made of the data that came. */
  readonly data: T
  /** Which attempt this is, from 1. A refusal (open breaker, full bulkhead) uses none. */
  readonly attempt: number
  /** Wall-clock milliseconds since 1970, at the publisher. */
  readonly publishedEpochMs: number
  /** When it ceases to be of use, in wall-clock milliseconds since 1970: the deadline of the context it was published under. */
  readonly expiresEpochMs?: number
  readonly key?: string
  /** The same for everything that follows from one beginning; the first message's id where the publisher had none. */
  readonly correlationId: string
  /** The message in whose handler it was published. */
  readonly causationId?: string
  readonly tenant?: string
  /** The publishing service. */
  readonly source?: string
}
