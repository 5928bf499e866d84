import type { Context } from '../core/context.ts'
import { HoldfastError } from '../core/errors.ts'
import type { Handler, Policy } from '../core/handler.ts'
import { checkOptions, invalidOption } from '../core/options.ts'
import { containsRetry } from '../core/policy-inside.ts'
import { any, flag, fn, oneOf, optional, required, whole } from '../core/rules.ts'
import { type RetryOptions, retryPlan } from '../resilience/retry-options.ts'
import { type EventDefinition, GROUP_RULE, isEvent } from './event.ts'
import type { Message } from './message.ts'

export interface SubscriptionOptions<T> {
  /** Who receives: each group gets every message, once for the whole group. 1 to 100 letters, digits, `_`, `-`, in words joined by dots. */
  readonly group: string
  /** Messages handled at a time by this process; 1 to 10,000, default 16. */
  readonly concurrent?: number
  /**
   * `'by-key'`: a message is not handed out while an earlier one of its key is unsettled or waiting for its retry; other keys go on.
   * `'none'`: no order. Default: `'by-key'` where the event has a key, else `'none'`.
   */
  readonly ordered?: 'by-key' | 'none'
  /** Wraps the handler, once, here. One that contains a retry is refused: the subscription's own `retry` decides. */
  readonly policy?: Policy
  /** How failed messages are tried again; defaults of `RetryOptions`, 3 attempts. */
  readonly retry?: RetryOptions
  /** Whether a message that is given up is kept as a dead letter (default) or dropped, which is logged and told as an event. */
  readonly deadLetter?: boolean
  /** Returns: done. Throws: tried again, or given up. It may see a message more than once: `ctx.idempotencyKey` is the same each time. */
  handle(message: Message<T>, ctx: Context): Promise<void> | void
}

/** Who receives an event, and how. Made by `subscription()`; register it with `eventBus` or `holdfast`. */
export interface Subscription {
  readonly kind: 'subscription'
  readonly event: EventDefinition<unknown>
  readonly group: string
  readonly concurrent: number
  readonly ordered: 'by-key' | 'none'
  readonly retry: RetryOptions
  readonly deadLetter: boolean
  /** The handler inside its policy. */
  readonly handle: Handler<Message<unknown>, void>
}

const rules = {
  group: GROUP_RULE,
  concurrent: whole({ min: 1, max: 10_000, default: 16 }),
  ordered: optional(oneOf(['by-key', 'none'], 'none')),
  policy: optional(any<Policy>('a policy', (value) => typeof value === 'function', undefined as never)),
  retry: optional(any<RetryOptions>('an object', (value) => typeof value === 'object' && value !== null, {})),
  deadLetter: flag(true),
  handle: required(fn<SubscriptionOptions<unknown>['handle']>(() => {})),
}

/**
 * Defines who receives an event. It consumes from the start of the bus it is registered with.
 *
 * At least once: a message is handled until the handler returns, or given up after `retry.attempts` and kept as a dead letter. Errors that
 * say `retry: 'never'` (`declined`, `failed`) are given up at once. A refusal of ours (effect none, retry later: an open breaker, a full
 * bulkhead) is waited out and uses no attempt, up to the bus's `refusals`.
 *
 * @param event - made by `event()`.
 * @param options
 * - `group`: who receives; unique among the subscriptions of one event.
 * - `concurrent`: messages handled at a time, 1 to 10,000, default 16.
 * - `ordered`: `'by-key'` (default where the event has a key) or `'none'`.
 * - `policy`: wraps the handler. `retry`: as in `retry()`, default 3 attempts. `deadLetter`: default true.
 * - `handle(message, ctx)`: `ctx` carries `signal`, the message's deadline, `correlationId`, `causationId` (the message's id), trace, tenant
 *   and `idempotencyKey` (message id and group).
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none) when an option does not fit · `RETRIES_TWICE` (effect none) when the policy
 * contains a retry.
 * @example
 * ```ts
 * export const billing = subscription(OrderPlaced, {
 *   group: 'billing',
 *   retry: { attempts: 5 },
 *   handle: async (message, ctx) => invoices.create(message.data.orderId, ctx.idempotencyKey),
 * })
 * ```
 */
export function subscription<T>(event: EventDefinition<T>, options: SubscriptionOptions<T>): Subscription {
  if (!isEvent(event)) throw invalidOption('subscription', 'event', 'made by event()', event)
  const read = checkOptions(`subscription to ${event.name}`, options, rules)
  const owner = `subscription ${read.group} to ${event.name}`
  if (read.ordered === 'by-key' && event.key === undefined)
    throw invalidOption(owner, 'ordered', `'none', because ${event.name} has no key`, read.ordered)
  retryPlan(`${owner}: retry`, read.retry)
  const { handle } = options
  const handler: Handler<Message<unknown>, void> = async (message, ctx) => handle.call(options, message as Message<T>, ctx)
  return Object.freeze({
    kind: 'subscription',
    event: event as EventDefinition<unknown>,
    group: read.group,
    concurrent: read.concurrent,
    ordered: read.ordered ?? (event.key === undefined ? 'none' : 'by-key'),
    retry: Object.freeze({ ...read.retry }),
    deadLetter: read.deadLetter,
    handle: guarded(owner, read.policy, handler),
  })
}

function guarded(owner: string, policy: Policy | undefined, handler: Handler<Message<unknown>, void>): Handler<Message<unknown>, void> {
  if (policy === undefined) return handler
  if (containsRetry(policy))
    throw new HoldfastError(
      'RETRIES_TWICE',
      `${owner}: its policy contains a retry, which would multiply the attempts; use the option retry`,
      {
        effect: 'none',
        retry: 'never',
        details: { owner },
      },
    )
  return policy(handler)
}
