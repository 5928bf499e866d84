import type { Clock } from '../core/clock.ts'
import { refusal } from '../core/errors.ts'
import type { Logger } from '../ports/logger.ts'
import type { Part } from '../ports/part.ts'
import type { Storage } from '../ports/storage.ts'
import { closeServers } from './servers.ts'
import type { StopOptions } from './stop-options.ts'

export interface LifecycleOptions {
  readonly service: string
  readonly storage: Storage
  /** In the order in which they start. */
  readonly parts: readonly Part[]
  readonly clock: Clock
  readonly logger: Logger
}

type State = 'stopped' | 'starting' | 'running' | 'stopping'

/** Starts and stops an application's parts; one start and one stop at a time, however many ask. */
export class Lifecycle {
  readonly #options: LifecycleOptions
  #state: State = 'stopped'
  #starting: Promise<void> | null = null
  #stopping: Promise<void> | null = null
  #giveUp: AbortController | null = null

  constructor(options: LifecycleOptions) {
    this.#options = options
  }

  get state(): State {
    return this.#state
  }

  /** Resolves when everything works; rejects with nothing left open, and may be tried again. While it stops, it starts after that. */
  start(): Promise<void> {
    if (this.#starting !== null) return this.#starting
    const starting = this.#start()
    this.#starting = starting
    starting.catch(() => {
      if (this.#starting === starting) this.#starting = null
    })
    return starting
  }

  stop(options: Required<StopOptions>): Promise<void> {
    // One that was asked for a start since is not over with the stop that is under way.
    if (this.#stopping !== null && this.#starting === null) return this.#stopping
    const stopping = this.#stop(this.#starting, options).finally(() => {
      if (this.#stopping === stopping) this.#stopping = null
    })
    this.#starting = null
    this.#stopping = stopping
    if (this.#state === 'running') this.#state = 'stopping'
    return stopping
  }

  async #start(): Promise<void> {
    const { service, storage, parts, logger } = this.#options
    const giveUp = new AbortController()
    this.#giveUp = giveUp
    await this.#stopping?.catch(() => {})
    this.#state = 'starting'
    try {
      if (giveUp.signal.aborted) throw giveUp.signal.reason
      await storage.open(giveUp.signal)
      for (const part of parts) {
        if (giveUp.signal.aborted) throw giveUp.signal.reason
        await part.start(giveUp.signal)
      }
      if (giveUp.signal.aborted) throw giveUp.signal.reason
    } catch (error) {
      await this.#close(0)
      this.#state = 'stopped'
      logger.error({ service, error }, 'holdfast did not start')
      throw error
    } finally {
      if (this.#giveUp === giveUp) this.#giveUp = null
    }
    this.#state = 'running'
    logger.info({ service, parts: parts.map(({ name }) => name), storage: storage.engine }, 'holdfast started')
  }

  async #stop(starting: Promise<void> | null, { drainMs, leaveMs, servers }: Required<StopOptions>): Promise<void> {
    this.#giveUp?.abort(refusal('ABORTED', 'holdfast was stopped while it started', { retry: 'never' }))
    await starting?.catch(() => {})
    const { service, clock, logger } = this.#options
    const wasRunning = this.#state !== 'stopped'
    if (wasRunning) this.#state = 'stopping'
    if (wasRunning && leaveMs > 0) await new Promise<void>((resolve) => clock.setTimer(resolve, leaveMs))
    const untilMs = clock.nowMs() + drainMs
    const cut = await closeServers(servers, untilMs, clock)
    if (cut > 0) logger.warn({ service, servers: cut, drainMs }, 'servers still had requests after drainMs; their connections were cut')
    if (!wasRunning) return
    try {
      await this.#close(Math.max(0, untilMs - clock.nowMs()))
      logger.info({ service }, 'holdfast stopped')
    } finally {
      this.#state = 'stopped'
    }
  }

  /** Stops what was started, all at once, since what one of them finishes may need another; then closes the storage. */
  async #close(drainMs: number): Promise<void> {
    const { service, storage, parts, logger } = this.#options
    const ends = await Promise.allSettled(parts.map(async (part) => part.stop({ drainMs })))
    for (const end of ends) if (end.status === 'rejected') logger.error({ service, error: end.reason }, 'a part did not stop cleanly')
    try {
      await storage.close()
    } catch (error) {
      logger.error({ service, error }, 'the storage did not close cleanly')
    }
  }
}
