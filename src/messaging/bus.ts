import type { Clock } from '../core/clock.ts'
import { HoldfastError } from '../core/errors.ts'
import { checkOptions, invalidOption } from '../core/options.ts'
import { any, clock, optional, random, required, text, whole } from '../core/rules.ts'
import { type Logger, silentLogger } from '../ports/logger.ts'
import type { Transport } from '../ports/transport.ts'
import type { EventBus } from './event-bus.ts'
import { RunningBus } from './running-bus.ts'
import type { Subscription } from './subscription.ts'

export interface EventBusOptions {
  /** What carries the messages. The bus opens it at `start` and closes it at `stop`. */
  readonly transport: Transport
  /** Who receives; default none. */
  readonly subscriptions?: readonly Subscription[]
  /** Names this service as the `source` of what it publishes. 1 to 200 characters. */
  readonly service?: string
  /** How often in a row a refusal (open breaker, full bulkhead) may put a message off before it is given up; at least 1, default 100: about half an hour. */
  readonly refusals?: number
  /** Messages an ordered group may hold here, unsettled, while they wait for their key; at least 1, default 10,000. */
  readonly held?: number
  readonly clock?: Clock
  /** Where chance comes from; from 0 (inclusive) to 1 (exclusive), default `Math.random`. */
  readonly random?: () => number
  /** Default: silent. */
  readonly logger?: Logger
}

const has =
  (...methods: readonly string[]) =>
  (value: unknown): boolean =>
    typeof value === 'object' && value !== null && methods.every((name) => typeof (value as Record<string, unknown>)[name] === 'function')

const isSubscription = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && (value as { kind?: unknown }).kind === 'subscription' && has('handle')(value)

const rules = {
  transport: required(any<Transport>('a transport', has('open', 'ensure', 'publish', 'subscribe', 'stats', 'close'), undefined as never)),
  subscriptions: any<readonly Subscription[]>('a list of subscriptions', Array.isArray, []),
  service: optional(text('')),
  refusals: whole({ min: 1, default: 100 }),
  held: whole({ min: 1, default: 10_000 }),
  clock,
  random,
  logger: any<Logger>('a logger with debug, info, warn and error', has('debug', 'info', 'warn', 'error'), silentLogger),
}

/**
 * Makes an event bus. It touches nothing until `start`.
 *
 * Each message reaches each group at least once, as far as the transport keeps it; a handler that returns settles it, one that throws has it
 * tried again as the subscription's `retry` says, then it becomes a dead letter. Messages of one key are handled in the order they were
 * published. `stop({ drainMs })` takes nothing new, lets running handlers end within `drainMs`, aborts `ctx.signal` of the rest, and leaves
 * everything that was not finished with the transport, with no attempt used.
 *
 * @param options
 * - `transport`: what carries the messages. `subscriptions`: who receives them.
 * - `service`: named as the source of what is published.
 * - `refusals`: how often in a row a message may be put off; default 100. `held`: messages an ordered group may hold; default 10,000. A group
 *   that holds so many takes nothing new until one of their keys moves on.
 * - `clock`, `random`, `logger`: defaults are the process's clock, `Math.random` and silence.
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none) when an option does not fit · `NAME_REUSED` (effect none) when two subscriptions to
 * one event have the same group.
 * @example
 * ```ts
 * const bus = eventBus({ transport: memoryTransport(), subscriptions: [billing] })
 * await bus.start()
 * await bus.publish(OrderPlaced, { orderId: 'o-1', total: 12 })
 * await bus.stop({ drainMs: 5_000 })
 * ```
 */
export function eventBus(options: EventBusOptions): EventBus {
  const read = checkOptions('eventBus', options, rules)
  const seen = new Set<string>()
  read.subscriptions.forEach((each, index) => {
    if (!isSubscription(each)) throw invalidOption('eventBus', `subscriptions[${index}]`, 'made by subscription()', each)
    const address = `${each.event.name} ${each.group}`
    if (seen.has(address)) throw reused(each)
    seen.add(address)
  })
  return new RunningBus(read)
}

const reused = ({ event, group }: Subscription): HoldfastError =>
  new HoldfastError('NAME_REUSED', `eventBus: two subscriptions to ${event.name} are named ${group}; each group needs a name of its own`, {
    effect: 'none',
    retry: 'never',
    details: { event: event.name, group },
  })
