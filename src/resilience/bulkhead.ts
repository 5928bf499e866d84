import type { Policy } from '../core/handler.ts'
import { ownerOf } from '../core/policy-inside.ts'
import { type BulkheadEvents, BulkheadGuard, type BulkheadStats } from './bulkhead-guard.ts'
import { asksUser, type BulkheadOptions, type BulkheadSettings, checkBulkhead } from './bulkhead-options.ts'
import { type Managed, managed, managedKind } from './managed.ts'

export interface Bulkhead extends Policy, Managed<BulkheadStats, BulkheadSettings, BulkheadEvents> {
  readonly name: string
  /** Slots taken, those of abandoned calls that keep theirs included. */
  readonly running: number
  readonly waiting: number
  /** Calls that were answered from inside, by a time-out or an abort, or are over but for `ctx.hold()`, while work goes on. */
  readonly abandoned: number
}

/**
 * Bounds how many calls run at once and how many wait.
 *
 * A slot is held until the work really settles, also after a timeout inside or outside, and as long as `ctx.hold()` says; so the number
 * of running calls never exceeds `concurrent`, or that and `abandonedMax`. A freed slot goes straight to the waiter whose turn it is by
 * `order`: no newcomer can come between, and a waiter that was accepted is never rejected, but for its own `queueTimeoutMs`. A waiter whose
 * caller gives up leaves at once. `reconfigure` with more slots admits waiters at once, in order; with fewer it lets running calls finish;
 * with a shorter queue those that wait stay.
 *
 * @throws {HoldfastError} `BULKHEAD_FULL` (effect none, retry later) when slots and queue are full · `QUEUE_TIMEOUT` (effect none, retry
 * later) when no slot was free within `queueTimeoutMs` · `ABORTED`, `TIMEOUT` or `DEADLINE` (effect none) when the caller's patience ended
 * while it waited · `INVALID_OPTIONS` (effect none).
 * @example
 * ```ts
 * const reports = bulkhead({ name: 'reports', concurrent: 4, queued: 100, order: { fairBy: 'tenant' } })
 * ```
 */
export function bulkhead(options?: BulkheadOptions): Bulkhead {
  const checked = checkBulkhead(options)
  const guard = new BulkheadGuard(checked)
  return managed<Bulkhead>('bulkhead', asksUser(checked.order) ? { guard, foreign: true } : { guard }, bulkheadKind)
}

const bulkheadKind = /* @__PURE__ */ managedKind<BulkheadEvents>(
  { refused: true, timedOut: true },
  {
    get running(): number {
      return ownerOf<BulkheadGuard>(this).running
    },
    get waiting(): number {
      return ownerOf<BulkheadGuard>(this).waiting
    },
    get abandoned(): number {
      return ownerOf<BulkheadGuard>(this).abandoned
    },
  },
)
