/** W3C trace context, as it travels in `traceparent`, `tracestate` and `baggage`. */
export interface TraceContext {
  /** 32 lower-case hex digits. */
  readonly traceId: string
  /** 16 lower-case hex digits: the span that called. */
  readonly spanId: string
  /** The eight trace flags; bit 0 = sampled. */
  readonly flags: number
  /** The `tracestate` header, untouched. */
  readonly state?: string
  /** The `baggage` header, untouched. */
  readonly baggage?: string
}

/**
 * What crosses every boundary: cancellation, deadline, identity. Immutable; `with` makes a changed copy. Made by `createContext()`, by
 * `policy.run()` and by everything that calls a handler; not to be implemented by hand.
 */
export interface Context {
  /** Aborts when the caller gives up or a deadline passes. Made when first read (an `AbortController` costs microseconds), then kept. */
  readonly signal: AbortSignal
  /** Whether `signal` is, or would be, aborted. Costs no signal. */
  readonly aborted: boolean
  /** Milliseconds until the deadline; `Infinity` without one, 0 once it has passed. */
  readonly remainingMs: number
  /** Which attempt this is, counted from 1 by the nearest retry. */
  readonly attempt: number
  /** The same for every attempt of one call; a UUIDv7 made when first read unless one was handed in. Sent as `Idempotency-Key`. */
  readonly idempotencyKey: string
  readonly tenant?: string | undefined
  /** What keyed policies choose by: `host`, `tenant`, names of your own. */
  readonly keys: Readonly<Record<string, string>>
  readonly trace?: TraceContext | undefined
  readonly correlationId?: string | undefined
  readonly causationId?: string | undefined
  /** Values that travel with the call inside this process, by symbol or name. */
  readonly values: ReadonlyMap<unknown, unknown>
  /**
   * A copy with some of it changed; keys that a context does not know become properties of the copy (and of every context below it).
   * `timeoutMs` sets a deadline that far from now, or keeps an earlier one.
   */
  with<X extends object>(change: X): this & X
  /** Keeps the permits of the policies around this call (a bulkhead's slot) taken until `work` has settled, however it settles. */
  hold(work: PromiseLike<unknown>): void
}

/** What a context can be made with, or changed to by `with`. */
export interface ContextChange {
  readonly timeoutMs?: number
  readonly attempt?: number
  readonly idempotencyKey?: string
  readonly tenant?: string
  readonly keys?: Readonly<Record<string, string>>
  readonly trace?: TraceContext
  readonly correlationId?: string
  readonly causationId?: string
  readonly values?: ReadonlyMap<unknown, unknown>
}
