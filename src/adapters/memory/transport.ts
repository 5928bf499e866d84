import type { Clock } from '../../core/clock.ts'
import { type HoldfastError, refusal } from '../../core/errors.ts'
import { checkOptions } from '../../core/options.ts'
import { clock, durationMs, oneOf, whole } from '../../core/rules.ts'
import type {
  GroupAddress,
  Publisher,
  PublishVerdict,
  SubscribeOptions,
  Transport,
  TransportMessage,
  TransportStats,
  TransportSubscription,
} from '../../ports/transport.ts'
import { MemoryDead } from './transport-dead.ts'
import { CONFIRMED, MemoryTopic } from './transport-topic.ts'

export interface MemoryTransportOptions {
  /** Messages a group may hold, ready, unsettled and waiting for a retry taken together; 1 to 10,000,000, default 10,000. */
  readonly queued?: number
  /** What `publish` does when a group of the event is full: `'wait'` (default) for room, or `'refuse'` at once. */
  readonly full?: 'wait' | 'refuse'
  /** The longest wait for room in milliseconds, default 5,000; the publisher's own deadline may end it earlier. */
  readonly waitMaxMs?: number
  /** Publishers that may wait for room of one event; the next is refused. At least 1, default 1,000. */
  readonly waiting?: number
  /** Dead letters that are kept; the oldest gives way to the newest. At least 1, default 10,000. */
  readonly deadLetters?: number
  /** Ids of the latest messages that are remembered, so that publishing one again does not queue it again. At least 0, default 10,000. */
  readonly remembered?: number
  /** What delays and waits are timed by. Default: the process's clock. */
  readonly clock?: Clock
}

const rules = {
  queued: whole({ min: 1, max: 10_000_000, default: 10_000 }),
  full: oneOf(['wait', 'refuse'], 'wait'),
  waitMaxMs: durationMs({ default: 5_000 }),
  waiting: whole({ min: 1, default: 1_000 }),
  deadLetters: whole({ min: 1, default: 10_000 }),
  remembered: whole({ default: 10_000 }),
  clock,
}

/**
 * Carries messages inside this process: the reference of every other transport.
 *
 * Everything it holds ends with the process; `close()` and `open()` again finds it. A confirmed message is in the queue of every group of
 * its event; an event without a group is confirmed and dropped. Queues are bounded: a full one makes publishers wait, or refuses them.
 *
 * @param options
 * - `queued`: messages a group may hold; default 10,000.
 * - `full`: `'wait'` (default) or `'refuse'`; `waitMaxMs` (default 5,000) and `waiting` (default 1,000) bound the wait.
 * - `deadLetters`: how many are kept, default 10,000; the oldest gives way.
 * - `remembered`: how many ids are known again, default 10,000.
 * - `clock`: default the process's clock.
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none) for an unknown or unfit option.
 * @example
 * ```ts
 * const bus = eventBus({ transport: memoryTransport({ queued: 50_000 }), subscriptions: [billing] })
 * ```
 */
export function memoryTransport(options?: MemoryTransportOptions): Transport {
  return new MemoryTransport(checkOptions('memoryTransport', options, rules))
}

class MemoryTransport implements Transport {
  readonly engine = 'memory'
  readonly cannot = { transactions: 'the memory transport has no transactions', durability: 'it ends with the process' }
  readonly dead: MemoryDead
  readonly #options: Required<MemoryTransportOptions>
  readonly #topics = new Map<string, MemoryTopic>()
  /** Ids by name; the oldest first. */
  readonly #known = new Set<string>()
  #opened = 0

  constructor(options: Required<MemoryTransportOptions>) {
    this.#options = options
    this.dead = new MemoryDead(options.deadLetters, {
      check: () => this.#check(),
      groupAt: ({ name, group }) => this.#topics.get(name)?.groups.get(group),
      room: (group) => options.queued - group.size,
    })
  }

  async open(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) throw refusal('ABORTED', 'open: the caller gave up', { retry: 'never', cause: signal.reason })
    if (this.#opened++ === 0) for (const topic of this.#topics.values()) for (const group of topic.groups.values()) group.resume()
  }

  async ensure(groups: readonly GroupAddress[]): Promise<void> {
    this.#check()
    for (const address of groups) this.#topicOf(address.name).ensure(address)
  }

  publish(messages: readonly TransportMessage[], publisher?: Publisher): Promise<readonly PublishVerdict[]> {
    return Promise.all(messages.map((message) => this.#offer(message, publisher)))
  }

  async subscribe(address: GroupAddress, options: SubscribeOptions): Promise<TransportSubscription> {
    this.#check()
    return this.#topicOf(address.name).ensure(address).subscribe(options)
  }

  async stats(): Promise<TransportStats> {
    this.#check()
    const topics = [...this.#topics.values()]
    return {
      groups: topics.flatMap((topic) => [...topic.groups.values()].map((group) => group.stats)),
      dead: this.dead.size,
      deadDropped: this.dead.dropped,
      waiting: topics.reduce((sum, topic) => sum + topic.waiting, 0),
    }
  }

  async close(): Promise<void> {
    if (this.#opened === 0 || --this.#opened > 0) return
    for (const topic of this.#topics.values()) topic.rest(notStarted())
  }

  #offer(message: TransportMessage, publisher: Publisher | undefined): PublishVerdict | Promise<PublishVerdict> {
    if (this.#opened === 0) return { result: 'none', error: notStarted() }
    const topic = this.#topics.get(message.name)
    if (topic === undefined || topic.groups.size === 0 || this.#knows(message)) return CONFIRMED
    return topic.offer(frozen(message), publisher)
  }

  #topicOf(name: string): MemoryTopic {
    let topic = this.#topics.get(name)
    if (topic === undefined) {
      topic = new MemoryTopic(name, {
        ...this.#options,
        isKnown: (message) => this.#knows(message),
        remember: (message) => this.#remember(message),
        bury: (group, message, { reason }) => this.dead.bury(group.address, message, reason, this.#options.clock.epochMs()),
      })
      this.#topics.set(name, topic)
    }
    return topic
  }

  #knows(message: TransportMessage): boolean {
    return this.#known.has(`${message.name} ${message.id}`)
  }

  #remember(message: TransportMessage): void {
    if (this.#options.remembered === 0) return
    if (this.#known.size >= this.#options.remembered) for (const oldest of this.#known) if (this.#known.delete(oldest)) break
    this.#known.add(`${message.name} ${message.id}`)
  }

  #check(): void {
    if (this.#opened === 0) throw notStarted()
  }
}

const frozen = (message: TransportMessage): TransportMessage =>
  Object.freeze({ ...message, attributes: Object.freeze({ ...message.attributes }) })

const notStarted = (): HoldfastError => refusal('NOT_STARTED', 'the memory transport is not open')
