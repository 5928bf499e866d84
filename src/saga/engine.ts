import { hostname } from 'node:os'
import { pid } from 'node:process'
import { Emitter } from '../core/events.ts'
import { uuidv7 } from '../core/ids.ts'
import { checkOptions } from '../core/options.ts'
import { durationMs } from '../core/rules.ts'
import type { Part, PartHealth } from '../ports/part.ts'
import { checkEngineOptions, type EngineSettings, type SagaEngineOptions } from './engine-options.ts'
import { notStarted } from './errors.ts'
import { Live } from './live.ts'
import type { SagaPlan } from './plan.ts'
import type { SagaEvents } from './saga-events.ts'
import { type Sagas, SagaVerbs } from './sagas.ts'

/** Runs sagas: a part of an application, to be started and stopped. */
export interface SagaEngine extends Part {
  readonly name: 'sagas'
  readonly sagas: Sagas
}

class Engine implements SagaEngine {
  readonly name = 'sagas'
  readonly sagas: Sagas
  readonly #settings: EngineSettings
  readonly #plans: ReadonlyMap<string, SagaPlan>
  readonly #events = new Emitter<SagaEvents>()
  #live: Live | null = null
  /** Starts and stops come one after the other. */
  #changing: Promise<unknown> = Promise.resolve()

  constructor(options: SagaEngineOptions) {
    const { settings, plans } = checkEngineOptions(options)
    this.#settings = settings
    this.#plans = plans
    this.sagas = new SagaVerbs(plans, this.#events, () => {
      if (this.#live === null) throw notStarted()
      return this.#live
    })
  }

  start(signal?: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#live !== null) return
      const owner = `${this.#settings.service}/${hostname()}/${pid}/${uuidv7()}`
      const live = new Live(this.#settings, this.#plans, this.#events, owner)
      try {
        await live.start(signal)
      } catch (error) {
        await live.stop(0)
        throw error
      }
      this.#live = live
    })
  }

  stop(options: { readonly drainMs: number }): Promise<void> {
    const { drainMs } = checkOptions('sagaEngine: stop', options, { drainMs: durationMs({ default: 0 }) })
    this.#live?.endIntake()
    return this.#inTurn(async () => {
      await this.#live?.stop(drainMs)
      this.#live = null
    })
  }

  health(): PartHealth {
    const live = this.#live
    if (live === null) return { status: 'down', reason: 'the saga engine is not started' }
    if (live.isStopping) return { status: 'down', reason: 'the saga engine is stopping' }
    if (live.writer.isFailing) return { status: 'degraded', reason: 'the saga journal does not answer' }
    const unregistered = [...live.unregistered]
    if (unregistered.length > 0)
      return { status: 'degraded', reason: `unfinished sagas wait for definitions that are not registered: ${unregistered.join(', ')}` }
    if (live.leases.tenures.length === 0) return { status: 'ok', reason: 'standing by: another process runs the sagas' }
    return { status: 'ok' }
  }

  #inTurn(change: () => Promise<void>): Promise<void> {
    const changed = this.#changing.then(change)
    this.#changing = changed.catch(() => {})
    return changed
  }
}

/**
 * Makes an engine that runs sagas on a journal. Nothing is touched until `start()`.
 *
 * A started saga ends complete, undone, or visibly `stuck`, whatever happens to this process: its records are durable before its effects
 * are begun, and after a crash whoever claims its shard continues it within `leaseMs` plus half a second. Effects happen at least once, and once where the
 * participant honours `ctx.idempotencyKey`. Ended sagas stay in the journal.
 *
 * @param options
 * - `journal`: `storage.sagaJournal`; opened at start, never closed here.
 * - `definitions`: every saga that this process can run.
 * - `leaseMs` (10,000), `shards` (1), `concurrent` (1,000), `queued` (10,000), `scanMs` (1,000), `refusedMaxMs` (600,000),
 *   `interruptionsMax` (10), `undoRetry` (20 attempts), `service`, `clock`, `random`, `logger`: see `SagaEngineOptions`.
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none) for an unknown or unfit option, `NAME_REUSED` for two definitions of one name.
 * @example
 * ```ts
 * const engine = sagaEngine({ journal: sqliteStorage('./sagas.db').sagaJournal, definitions: [checkout] })
 * await engine.start()
 * const handle = await engine.sagas.start(checkout, order, { id: order.id })
 * await handle.result({ timeoutMs: 5_000 })
 * await engine.stop({ drainMs: 10_000 })
 * ```
 */
export const sagaEngine = (options: SagaEngineOptions): SagaEngine => new Engine(options)
