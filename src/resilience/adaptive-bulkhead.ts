import type { Policy } from '../core/handler.ts'
import { ownerOf } from '../core/policy-inside.ts'
import { AdaptiveGuard } from './adaptive-guard.ts'
import { type AdaptiveBulkheadOptions, type AdaptiveBulkheadSettings, checkAdaptive } from './adaptive-options.ts'
import type { AdaptiveBulkheadEvents, AdaptiveBulkheadStats } from './adaptive-readouts.ts'
import { asksUser } from './bulkhead-options.ts'
import { type Managed, managed, managedKind } from './managed.ts'

export interface AdaptiveBulkhead extends Policy, Managed<AdaptiveBulkheadStats, AdaptiveBulkheadSettings, AdaptiveBulkheadEvents> {
  readonly name: string
  /** How many calls may run at once now. */
  readonly limit: number
  /** Slots taken, those of abandoned calls that keep theirs included. */
  readonly running: number
  readonly waiting: number
  /** Calls that were answered from inside, by a time-out or an abort, or are over but for `ctx.hold()`, while work goes on. */
  readonly abandoned: number
}

/**
 * A bulkhead that finds out by itself how many calls may run at once: it measures how long they take and how many are dropped.
 *
 * The promises are those of `bulkhead`, for the limit of the moment at which a call is admitted: when the limit falls, running calls finish,
 * and nobody is admitted until there are fewer; when it grows, waiters are admitted at once, in order. The limit moves when a window has both
 * lasted `windowMs` and seen `windowCallsMin` calls, grows only when at least half of it was in use, and stays from `concurrentMin` to
 * `concurrentMax`. What is measured is the time from the slot to the answer: put what waits on its own (a retry, a rate limit) outside it,
 * and the timeout inside, whose late calls count as drops. Its refusals, and calls whose caller gave up, are no samples. Calls that never end
 * show nothing: without a timeout they keep their slots, as in any bulkhead.
 *
 * @throws {HoldfastError} `BULKHEAD_FULL` (effect none, retry later) when slots and queue are full · `QUEUE_TIMEOUT` (effect none, retry
 * later) when no slot was free within `queueTimeoutMs` · `ABORTED`, `TIMEOUT` or `DEADLINE` (effect none) when the caller's patience ended
 * while it waited · `INVALID_OPTIONS` (effect none).
 * @example
 * ```ts
 * const slots = adaptiveBulkhead({ name: 'search', algorithm: gradient2({ tolerance: 2 }), concurrentMax: 500, queued: 100 })
 * slots.on('limitChanged', ({ from, to, why }) => log.info({ from, to, why }, 'limit changed'))
 * ```
 * Source: Netflix concurrency-limits (2018); J. Little, "A Proof for the Queuing Formula L = λW" (1961).
 */
export function adaptiveBulkhead(options?: AdaptiveBulkheadOptions): AdaptiveBulkhead {
  const checked = checkAdaptive(options)
  const guard = new AdaptiveGuard(checked)
  const part = asksUser(checked.queueing.order) ? { guard, foreign: true } : { guard }
  return managed<AdaptiveBulkhead>('adaptiveBulkhead', part, adaptiveKind)
}

const adaptiveKind = /* @__PURE__ */ managedKind<AdaptiveBulkheadEvents>(
  { refused: true, timedOut: true, limitChanged: true },
  {
    get limit(): number {
      return ownerOf<AdaptiveGuard>(this).slots.settings.concurrent
    },
    get running(): number {
      return ownerOf<AdaptiveGuard>(this).slots.running
    },
    get waiting(): number {
      return ownerOf<AdaptiveGuard>(this).slots.waiting
    },
    get abandoned(): number {
      return ownerOf<AdaptiveGuard>(this).slots.abandoned
    },
  },
)
