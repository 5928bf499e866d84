import type { Clock } from '../core/clock.ts'

/** What of a chaos policy may be changed while it works. */
export interface ChaosSettings {
  /** The share of calls that are disturbed, 0 to 1; default 0.1. */
  readonly rate?: number
  /** Delays a disturbed call, in milliseconds: a number, or a range to draw from; default 0. */
  readonly latencyMs?: number | { readonly min: number; readonly max: number }
  /** Makes the error a disturbed call fails with, in place of the work. */
  readonly fault?: () => unknown
  /** Makes the value a disturbed call answers, in place of the work. Not together with `fault`. */
  readonly outcome?: () => unknown
  /** Default true. */
  readonly enabled?: boolean
}

export interface ChaosOptions extends ChaosSettings {
  /** Repeats a run: the same seed disturbs the same calls, counted in order. Default: drawn by chance. */
  readonly seed?: number
  /** Default `chaos`. */
  readonly name?: string
  readonly clock?: Clock
}

export interface ChaosStats {
  readonly calls: number
  readonly disturbed: number
  readonly enabled: boolean
}

export type ChaosEvents = {
  readonly disturbed: { readonly name: string; readonly latencyMs: number; readonly answered: 'work' | 'fault' | 'outcome' }
}
