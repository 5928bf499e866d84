/** Half-open: probes are let through, or after them a growing share of the calls. Isolated: somebody has asked for it. */
export type BreakerState = 'closed' | 'open' | 'half-open' | 'isolated'

interface Change {
  readonly name: string
}

export type BreakerEvents = {
  readonly opened: Change & { readonly openMs: number }
  readonly halfOpened: Change
  /** The probes have succeeded; only where there is a `rampMs`. */
  readonly ramping: Change & { readonly rampMs: number }
  readonly closed: Change
  readonly isolated: Change
  /** The last isolation was released. */
  readonly released: Change
}

export interface BreakerStats {
  readonly state: BreakerState
  /** Outcomes that counted as a success, those of probes included. */
  readonly succeeded: number
  readonly failed: number
  readonly ignored: number
  /** Calls it refused; with `metricsOnly` also those that it would have refused. */
  readonly refused: number
  /** How often it opened. */
  readonly opened: number
  /** How long it stays open yet; 0 while it is not open. */
  readonly openRemainingMs: number
  /** The share of calls that is let through: 0 while open or isolated, 1 while closed, on the way up during a ramp; 0 while probing. */
  readonly share: number
}

/** Ends one isolation; the second time it does nothing. */
export interface Isolation extends Disposable {
  release(): void
}
