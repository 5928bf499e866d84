import type { Clock } from '../core/clock.ts'
import type { Context } from '../core/context.ts'
import { checkOptions, invalidOption, type Read } from '../core/options.ts'
import { any, clock, durationMs, optional, text, whole } from '../core/rules.ts'
import { type Line, WaiterQueue } from './bulkhead-queue.ts'
import { FairLine } from './fair-line.ts'
import { PriorityLine } from './priority-line.ts'

/** By the highest number; of equals, the oldest. Where it throws or answers with no number: 0. */
export interface PriorityOrder {
  readonly priority: (ctx: Context) => number
}

/**
 * In turns between keys, in proportion to their weights, however many calls of each wait: the context's tenant, one of its `keys`, or what a
 * function says. Calls without a key, and those for which the function throws, share one turn.
 */
export interface FairOrder {
  readonly fairBy: 'tenant' | (string & {}) | ((ctx: Context) => string | undefined)
  /** Above 0; default, and where it throws or answers with anything else, 1. Asked when the first call of a key begins to wait. */
  readonly weight?: (key: string) => number
}

/** Who may wait, how long, and what becomes of abandoned calls; of every kind of bulkhead. */
export interface WaitingSettings {
  /** Calls that may wait for a slot; default 0: a full bulkhead refuses at once. */
  readonly queued?: number
  /** How long a call may wait for a slot, in milliseconds; at least 1, default as long as its caller does. Needs `queued`. */
  readonly queueTimeoutMs?: number
  /**
   * How many abandoned calls (the caller has been answered, the work goes on) give their slots back and are counted apart; so up to the
   * limit and `abandonedMax` really run. Those beyond it keep their slots until they settle. Default 0: every one does.
   */
  readonly abandonedMax?: number
}

/** What `reconfigure` may change. */
export interface BulkheadSettings extends WaitingSettings {
  /** Calls that may run at once; a whole number of at least 1, default 10. */
  readonly concurrent?: number
}

export interface WaitingOptions {
  /** Who of those that wait is next; default `'fifo'`: the oldest. Needs `queued`. */
  readonly order?: 'fifo' | PriorityOrder | FairOrder
}

export interface BulkheadOptions extends BulkheadSettings, WaitingOptions {
  /** Stands for it in errors and diagnostics; default `bulkhead`. */
  readonly name?: string
  /** For `queueTimeoutMs`. */
  readonly clock?: Clock
}

type Order = NonNullable<BulkheadOptions['order']>

const isFn = (value: unknown): boolean => typeof value === 'function'
function isOrder(value: unknown): boolean {
  if (value === 'fifo') return true
  if (typeof value !== 'object' || value === null) return false
  const { priority, fairBy, weight, ...more } = value as Record<string, unknown>
  if (Object.keys(more).length > 0) return false
  if (priority !== undefined) return isFn(priority) && fairBy === undefined && weight === undefined
  return (isFn(fairBy) || (typeof fairBy === 'string' && fairBy !== '')) && (weight === undefined || isFn(weight))
}

/** Rules of what every kind of bulkhead takes. */
export const waitingRules = {
  queued: whole({ default: 0 }),
  queueTimeoutMs: optional(durationMs({ min: 1, default: 1 })),
  abandonedMax: whole({ default: 0 }),
  order: any<Order>(
    "'fifo', { priority: (ctx) => number } or { fairBy: 'tenant', a key's name or (ctx) => key, weight? }",
    isOrder,
    'fifo',
  ),
}
const concurrent = whole({ min: 1, default: 10 })
const rules = { ...waitingRules, concurrent, name: text('bulkhead'), clock: optional(clock) }
export const waitingChanges = {
  queued: optional(waitingRules.queued),
  queueTimeoutMs: waitingRules.queueTimeoutMs,
  abandonedMax: optional(waitingRules.abandonedMax),
}
const changes = { ...waitingChanges, concurrent: optional(concurrent) }

export interface Checked extends Required<Omit<BulkheadSettings, 'queueTimeoutMs'>> {
  readonly queueTimeoutMs: number | undefined
  readonly order: Order
  readonly name: string
  readonly clock: Clock | undefined
}

export function checkBulkhead(options: BulkheadOptions | undefined): Checked {
  const checked = checkOptions('bulkhead', options, rules)
  checkWaiting('bulkhead', checked)
  return checked
}

/** Refuses what would say nothing without a queue. */
export function checkWaiting(owner: string, { queued, queueTimeoutMs, order }: Pick<Checked, 'queued' | 'queueTimeoutMs' | 'order'>): void {
  if (queued > 0) return
  if (queueTimeoutMs !== undefined)
    throw invalidOption(owner, 'queueTimeoutMs', 'given beside queued, without which no call waits', queueTimeoutMs)
  if (order !== 'fifo') throw invalidOption(owner, 'order', 'given beside queued, without which no call waits', order)
}

/** The settings with the changes in them, or a throw. */
export function changeBulkhead(former: Checked, given: object): Checked {
  const read = checkOptions(`bulkhead ${former.name}`, given, changes)
  return { ...changeWaiting(former, read), concurrent: read.concurrent ?? former.concurrent }
}

export function changeWaiting(former: Checked, { queued, queueTimeoutMs, abandonedMax }: Read<typeof waitingChanges>): Checked {
  return {
    ...former,
    queued: queued ?? former.queued,
    queueTimeoutMs: queueTimeoutMs ?? former.queueTimeoutMs,
    abandonedMax: abandonedMax ?? former.abandonedMax,
  }
}

/** Whether functions of the user's look at contexts. */
export const asksUser = (order: Order): boolean => order !== 'fifo' && ('priority' in order || typeof order.fairBy === 'function')

export function lineFor(order: Order): Line {
  if (order === 'fifo') return new WaiterQueue()
  if ('priority' in order) return new PriorityLine(order.priority)
  const { fairBy, weight = () => 1 } = order
  if (typeof fairBy === 'function') return new FairLine(fairBy, weight)
  return new FairLine(fairBy === 'tenant' ? (ctx) => ctx.tenant : (ctx) => ctx.keys[fairBy], weight)
}
