import PQueue from 'p-queue'
import type { Clock, Timer } from '../core/clock.ts'
import type { Context } from '../core/context.ts'
import type { Logger } from '../ports/logger.ts'
import type { DeadReason, Delivery, Settlement, Transport, TransportSubscription, Tries } from '../ports/transport.ts'
import { type AttemptHost, attempt, type Verdict } from './attempt.ts'
import { headOf, type Tell } from './bus-events.ts'
import type { FailurePlan } from './failure.ts'
import { Lanes } from './lanes.ts'
import { Settler } from './settler.ts'
import type { Subscription } from './subscription.ts'

export interface ConsumerHost {
  readonly transport: Transport
  readonly clock: Clock
  readonly logger: Logger
  readonly tell: Tell
  /** Aborted when the bus stops waiting for its handlers. */
  readonly context: Context
  /** Messages an ordered group may hold here. */
  readonly held: number
}

/** A message this consumer has to settle. */
interface Held {
  readonly delivery: Delivery
  tries: Tries
  /** Set while it waits here for its retry. */
  timer: Timer | null
  running: boolean
}

/** One subscription at work, from one start of the bus to the next stop. */
export class Consumer {
  readonly #definition: Subscription
  readonly #attempts: AttemptHost
  readonly #host: ConsumerHost
  readonly #queue: PQueue
  readonly #held = new Set<Held>()
  /** For an ordered group: a message waits here, unsettled, for those before it and for its retry, so that nothing overtakes it. */
  readonly #lanes: Lanes<Held> | null
  #subscription: TransportSubscription | null = null
  #settler: Settler | null = null
  #state: 'running' | 'draining' | 'closed' = 'running'
  #running = 0
  #idle: (() => void) | null = null

  constructor(definition: Subscription, plan: FailurePlan, host: ConsumerHost) {
    this.#definition = definition
    this.#attempts = { definition, plan, clock: host.clock, context: host.context }
    this.#host = host
    this.#queue = new PQueue({ concurrency: definition.concurrent })
    this.#lanes = definition.ordered === 'by-key' ? new Lanes() : null
  }

  async start(): Promise<void> {
    const { event, group, concurrent } = this.#definition
    const exclusive = this.#lanes !== null
    const deliver = (deliveries: readonly Delivery[]): void => this.#take(deliveries)
    const subscription = await this.#host.transport.subscribe({ name: event.name, group }, { exclusive, deliver })
    this.#subscription = subscription
    this.#settler = new Settler(subscription, (error) =>
      this.#host.logger.error({ err: error, event: event.name, group }, 'messages could not be settled; they will come again'),
    )
    subscription.credit(exclusive ? Math.max(this.#host.held, concurrent) : concurrent)
  }

  /** Takes nothing new and gives back what has not begun; resolves when what runs has ended and is settled. */
  async drain(): Promise<void> {
    if (this.#state !== 'running') return
    this.#state = 'draining'
    this.#subscription?.drain()
    for (const held of this.#held) {
      held.timer?.clear()
      if (!held.running) this.#settle(held, this.#unstarted(held))
    }
    if (this.#running > 0)
      await new Promise<void>((resolve) => {
        this.#idle = resolve
      })
    await this.#settler?.flushed()
  }

  /** Gives back what is not settled: a handler that still runs is left alone, and its message comes again. */
  async close(): Promise<void> {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    const { event, group } = this.#definition
    if (this.#running > 0)
      this.#host.logger.warn(
        { event: event.name, group, running: this.#running },
        'handlers did not end in time; their messages will come again',
      )
    await this.#subscription?.close()
  }

  #take(deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) {
      const held: Held = { delivery, tries: delivery.tries, timer: null, running: false }
      this.#held.add(held)
      const { key } = delivery.message
      if (this.#lanes === null || key === undefined || this.#lanes.join(key, held)) this.#enqueue(held)
    }
  }

  #enqueue(held: Held): void {
    void this.#queue.add(() => this.#run(held))
  }

  async #run(held: Held): Promise<void> {
    // Its turn came after the bus began to stop: it has been given back.
    if (this.#state !== 'running') return
    held.running = true
    this.#running += 1
    const verdict = await attempt(this.#attempts, { message: held.delivery.message, tries: held.tries })
    held.running = false
    this.#running -= 1
    if (this.#isClosed()) return
    this.#apply(held, verdict)
    if (this.#running === 0) this.#idle?.()
  }

  /** A function, so that the type checker does not take the state before an await for the one after. */
  #isClosed(): boolean {
    return this.#state === 'closed'
  }

  #apply(held: Held, verdict: Verdict): void {
    const { delivery, tries } = held
    if (verdict.as === 'dead') {
      this.#giveUp(held, verdict.reason)
      return
    }
    const about = { message: headOf(delivery.message), group: this.#definition.group, attempt: tries.attempt }
    if (verdict.as === 'ack') {
      this.#settle(held, { as: 'ack', delivery })
      this.#host.tell('handled', { ...about, durationMs: verdict.durationMs })
      return
    }
    const { delayMs, error } = verdict
    this.#tryAgain(held, delayMs, verdict.tries)
    this.#host.logger.debug(
      { err: error, ...about.message, group: about.group, attempt: tries.attempt, delayMs },
      'message will be tried again',
    )
    this.#host.tell('retried', { ...about, delayMs, refused: verdict.tries.refused > 0, error })
  }

  #tryAgain(held: Held, delayMs: number, tries: Tries): void {
    const { delivery } = held
    held.tries = tries
    if (this.#lanes === null) this.#settle(held, { as: 'retry', delivery, delayMs, tries })
    else if (this.#state === 'running') held.timer = this.#host.clock.setTimer(() => this.#again(held), delayMs)
    else this.#settle(held, this.#unstarted(held))
  }

  #again(held: Held): void {
    held.timer = null
    this.#enqueue(held)
  }

  /** No attempt is used; those that were used here are handed on. Without a delay, so that the message keeps its place. */
  #unstarted({ delivery, tries }: Held): Settlement {
    return tries === delivery.tries ? { as: 'release', delivery } : { as: 'retry', delivery, delayMs: 0, tries }
  }

  #giveUp(held: Held, reason: DeadReason): void {
    const { delivery } = held
    const { group, deadLetter: kept } = this.#definition
    const message = headOf(delivery.message)
    this.#settle(held, kept ? { as: 'dead', delivery, reason } : { as: 'ack', delivery })
    this.#host.logger.warn(
      { ...message, group, reason: reason.code, attempts: reason.attempts, error: reason.message },
      kept ? 'message became a dead letter' : 'message was dropped',
    )
    this.#host.tell('dead', { message, group, reason, kept })
  }

  #settle(held: Held, settlement: Settlement): void {
    this.#held.delete(held)
    this.#settler?.push(settlement)
    const { key } = held.delivery.message
    const next = this.#lanes === null || key === undefined || this.#state !== 'running' ? undefined : this.#lanes.leave(key)
    if (next !== undefined) this.#enqueue(next)
  }
}
