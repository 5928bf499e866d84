import type { Clock } from '../core/clock.ts'
import { createContext } from '../core/create-context.ts'
import { type HoldfastError, refusal } from '../core/errors.ts'
import { checkOptions } from '../core/options.ts'
import { durationMs } from '../core/rules.ts'
import type { Logger } from '../ports/logger.ts'
import type { PartHealth } from '../ports/part.ts'
import type { Transport } from '../ports/transport.ts'
import { retryPlan } from '../resilience/retry-options.ts'
import { BusEmitter } from './bus-events.ts'
import { Consumer } from './consumer.ts'
import { type DeadLetters, deadLetters } from './dead-letters.ts'
import type { EventDefinition } from './event.ts'
import type { EventBus, PublishOptions } from './event-bus.ts'
import { Publishing } from './publishing.ts'
import type { Subscription } from './subscription.ts'

export interface RunningBusOptions {
  readonly transport: Transport
  readonly subscriptions: readonly Subscription[]
  readonly service: string | undefined
  readonly refusals: number
  readonly held: number
  readonly clock: Clock
  readonly random: () => number
  readonly logger: Logger
}

/** What lives from a start to the next stop. */
interface Run {
  readonly consumers: readonly Consumer[]
  readonly stopping: AbortController
}

export class RunningBus implements EventBus {
  readonly name = 'bus'
  readonly deadLetters: DeadLetters
  readonly on: EventBus['on']
  readonly once: EventBus['once']
  readonly #options: RunningBusOptions
  readonly #emitter = new BusEmitter()
  readonly #publishing: Publishing
  #state: 'stopped' | 'starting' | 'running' | 'draining' = 'stopped'
  #run: Run | null = null
  /** Starts and stops follow one another. */
  #turn: Promise<unknown> = Promise.resolve()
  #starter: AbortController | null = null

  constructor(options: RunningBusOptions) {
    this.#options = options
    this.on = this.#emitter.on.bind(this.#emitter)
    this.once = this.#emitter.once.bind(this.#emitter)
    this.#publishing = new Publishing({ ...options, tell: this.#emitter.tell, checkStarted: () => this.#checkStarted() })
    this.deadLetters = deadLetters(options.transport.dead, () => this.#checkStarted())
  }

  publish<T>(event: EventDefinition<T>, payload: T, options?: PublishOptions): Promise<{ readonly id: string }> {
    return this.#publishing.publish(event as EventDefinition<unknown>, payload, options)
  }

  start(signal?: AbortSignal): Promise<void> {
    return this.#inTurn(() => this.#start(signal))
  }

  async stop(options: { readonly drainMs: number }): Promise<void> {
    const { drainMs } = checkOptions('bus.stop', options, { drainMs: durationMs({ default: 10_000 }) })
    this.#starter?.abort(refusal('ABORTED', 'the bus was stopped while it started', { retry: 'never' }))
    await this.#inTurn(() => this.#stop(drainMs))
  }

  health(): PartHealth {
    if (this.#state === 'running') return { status: 'ok' }
    return { status: 'down', reason: this.#state === 'stopped' ? 'the bus is not started' : `the bus is ${this.#state}` }
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work)
    this.#turn = done.catch(() => {})
    return done
  }

  async #start(signal: AbortSignal | undefined): Promise<void> {
    if (this.#state === 'running') return
    this.#state = 'starting'
    const starter = new AbortController()
    this.#starter = starter
    let opened = false
    try {
      const { transport, subscriptions } = this.#options
      await transport.open(signal === undefined ? starter.signal : AbortSignal.any([signal, starter.signal]))
      opened = true
      await transport.ensure(subscriptions.map(({ event, group }) => ({ name: event.name, group })))
      const run = this.#newRun()
      this.#run = run
      for (const consumer of run.consumers) await consumer.start()
      this.#state = 'running'
    } catch (error) {
      await this.#close(opened)
      throw error
    } finally {
      this.#starter = null
    }
  }

  #newRun(): Run {
    const { transport, subscriptions, clock, logger, held, random, refusals } = this.#options
    const stopping = new AbortController()
    const context = createContext({ signal: stopping.signal, clock })
    const host = { transport, clock, logger, held, context, tell: this.#emitter.tell }
    const refusalPlan = retryPlan('eventBus: refusals', { attempts: refusals, random })
    const consumers = subscriptions.map((each) => {
      const retry = retryPlan(`subscription ${each.group} to ${each.event.name}: retry`, { random, ...each.retry })
      return new Consumer(each, { retry, refusals: refusalPlan }, host)
    })
    return { consumers, stopping }
  }

  async #stop(drainMs: number): Promise<void> {
    if (this.#state !== 'running' || this.#run === null) return
    this.#state = 'draining'
    const { consumers, stopping } = this.#run
    await within(this.#options.clock, drainMs, Promise.all(consumers.map((consumer) => consumer.drain())))
    const closing = this.#close(true)
    stopping.abort(refusal('ABORTED', `the bus has stopped; the handler had ${drainMs} ms to end`, { retry: 'never', effect: 'unknown' }))
    await closing
  }

  async #close(opened: boolean): Promise<void> {
    const { logger, transport } = this.#options
    const closing = (this.#run?.consumers ?? []).map((consumer) => consumer.close())
    for (const closed of await Promise.allSettled(closing))
      if (closed.status === 'rejected') logger.error({ err: closed.reason }, 'a subscription could not be closed')
    this.#run = null
    this.#state = 'stopped'
    if (opened) await transport.close()
  }

  #checkStarted(): void {
    if (this.#state !== 'running' && this.#state !== 'draining') throw notStarted()
  }
}

const notStarted = (): HoldfastError =>
  refusal('NOT_STARTED', 'the bus is not started: await hf.start() first (bus.start() where there is no hf)')

/** Waits for the work, but no longer. */
async function within(clock: Clock, ms: number, work: Promise<unknown>): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const timer = clock.setTimer(resolve, ms)
    const done = (): void => {
      timer.clear()
      resolve()
    }
    work.then(done, (error: unknown) => {
      timer.clear()
      reject(error)
    })
  })
}
