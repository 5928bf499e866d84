import { memoryTransport } from '../adapters/memory/index.ts'
import { enableAmbient } from '../core/ambient.ts'
import type { Clock } from '../core/clock.ts'
import { checkOptions, invalidOption } from '../core/options.ts'
import { any, clock, flag, optional, required, text } from '../core/rules.ts'
import { type EventBus, eventBus, type Subscription } from '../messaging/index.ts'
import type { EventStore } from '../ports/event-store.ts'
import { type Logger, silentLogger } from '../ports/logger.ts'
import type { Part } from '../ports/part.ts'
import type { Storage } from '../ports/storage.ts'
import type { Transport } from '../ports/transport.ts'
import { checkDefinitions } from '../saga/engine-options.ts'
import { type SagaDefinition, type SagaEngine, sagaEngine } from '../saga/index.ts'
import { type Health, healthOf, works } from './health.ts'
import { Lifecycle } from './lifecycle.ts'
import { checkSignals, listenOnce } from './stop-on.ts'
import { checkStop, type StopOptions } from './stop-options.ts'

export interface HoldfastOptions {
  /** Names the application in messages and logs; 1 to 200 characters. */
  readonly service: string
  /** Where sagas are kept. Required: what is lost with the process has to be asked for, by `memoryStorage()`. */
  readonly storage: Storage
  /** What carries events. Default: this process's memory, also where the storage is durable. */
  readonly transport?: Transport
  /** Every saga this application can run; default none. */
  readonly sagas?: readonly SagaDefinition<unknown, unknown>[]
  /** Who receives events here; default none. */
  readonly subscriptions?: readonly Subscription[]
  /** Whether calls find the context of what they run inside, without it being handed on; from `start` on, for the whole process. Default false. */
  readonly ambient?: boolean
  readonly clock?: Clock
  /** Default: silent. */
  readonly logger?: Logger
}

/** A running application: made by `holdfast()`. */
export interface Holdfast {
  readonly bus: Omit<EventBus, keyof Part>
  readonly sagas: SagaEngine['sagas']
  /** The storage's, open from `start` to `stop`. */
  readonly eventStore: EventStore
  /**
   * Opens the storage, consumes events, and finishes the sagas that a crash left behind. Resolves when all of that has begun.
   * Starting twice is starting once. What fails leaves nothing open and may be tried again.
   *
   * @throws {HoldfastError} what the storage refuses with (`STORAGE_LOCKED`, `STORAGE_CORRUPT`, …) · `ABORTED` (effect none) when `stop` came first.
   */
  start(): Promise<void>
  /**
   * Not ready → `leaveMs` → the servers are closed → no new work, what is in flight is finished or released → the storage is closed.
   *
   * Takes `leaveMs + drainMs`, a second for what was aborted then to let go, and what closing the storage takes. Requests in flight come first and may use all of `drainMs`;
   * what is released is done by the next start, or by another process. Stopping twice is stopping once. It never ends the process.
   *
   * @throws {HoldfastError} `INVALID_OPTIONS` (effect none).
   */
  stop(options?: StopOptions): Promise<void>
  /**
   * Stops at the first of these signals; a second one does what the platform does. Called again, it replaces what was said before.
   *
   * @throws {HoldfastError} `INVALID_OPTIONS` (effect none) for a signal that nobody can listen to, or an unfit option.
   */
  stopOn(signals: readonly string[], options?: StopOptions): void
  /** Never rejects, and answers within a second whatever the storage does. */
  health(): Promise<Health>
}

const has =
  (...methods: readonly string[]) =>
  (value: unknown): boolean =>
    typeof value === 'object' && value !== null && methods.every((name) => typeof (value as Record<string, unknown>)[name] === 'function')

const list = <T>(what: string) => any<readonly T[]>(`a list of ${what}`, Array.isArray, [])

const rules = {
  service: required(text('')),
  storage: required(
    any<Storage>(
      "a storage, such as sqliteStorage('./holdfast.db') or memoryStorage()",
      has('open', 'close', 'health'),
      undefined as never,
    ),
  ),
  transport: optional(
    any<Transport>('a transport, such as memoryTransport()', has('open', 'publish', 'subscribe', 'close'), undefined as never),
  ),
  sagas: list<SagaDefinition<unknown, unknown>>('sagas'),
  subscriptions: list<Subscription>('subscriptions'),
  ambient: flag(false),
  clock,
  logger: any<Logger>('a logger with debug, info, warn and error', has('debug', 'info', 'warn', 'error'), silentLogger),
}

/**
 * Puts an application together: sagas on a storage, events on a transport, one start and one stop for both.
 *
 * It touches nothing until `start()`: no file, no timer, no listener. Before, and after `stop()`, starting a saga or publishing answers
 * `NOT_STARTED`. Events travel in this process's memory unless a transport is given, also where the storage is durable: an event that is
 * not handled when the process ends is lost then.
 *
 * @param options
 * - `service`: names the application, 1 to 200 characters. `storage`: where sagas are kept. Both are required.
 * - `transport`: what carries events; default `memoryTransport()`.
 * - `sagas`, `subscriptions`: everything it can run and receive, so that it can finish what an earlier process began; default none.
 * - `ambient`: default false; an AsyncLocalStorage makes every await of the process dearer.
 * - `clock`, `logger`: defaults are the process's clock and silence.
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none) for an unknown or unfit option · `NAME_REUSED` (effect none) when two sagas, or two
 * subscriptions to one event, have the same name.
 * @example
 * ```ts
 * const hf = holdfast({ service: 'shop', storage: sqliteStorage('./holdfast.db'), sagas: [flow] })
 * await hf.start()
 * hf.stopOn(['SIGTERM', 'SIGINT'], { drainMs: 10_000, servers: [app.listen(3000)] })
 * ```
 */
export function holdfast(options: HoldfastOptions): Holdfast {
  const { service, storage, transport, sagas, subscriptions, ambient, clock, logger } = checkOptions('holdfast', options, rules)
  if (typeof storage.sagaJournal?.append !== 'function') throw invalidOption('holdfast', 'storage', 'a storage that keeps sagas', storage)
  checkDefinitions('holdfast: sagas', sagas)
  const bus = eventBus({ transport: transport ?? memoryTransport({ clock }), subscriptions, service, clock, logger })
  const engine = sagaEngine({ journal: storage.sagaJournal, definitions: sagas, service, clock, logger })
  const parts = [bus, engine]
  const lifecycle = new Lifecycle({ service, storage, parts, clock, logger })
  let leaveSignals = (): void => {}
  const stop = async (checked: Required<StopOptions>): Promise<void> => {
    await lifecycle.stop(checked)
    leaveSignals()
  }
  return {
    bus,
    sagas: engine.sagas,
    eventStore: storage.eventStore,
    start() {
      if (ambient) enableAmbient()
      return lifecycle.start()
    },
    async stop(given) {
      await stop(checkStop('holdfast.stop', given))
    },
    stopOn(signals, given) {
      const checked = checkStop('holdfast.stopOn', given)
      const heard = checkSignals('holdfast.stopOn', signals)
      leaveSignals()
      leaveSignals = listenOnce(heard, (signal) => {
        logger.info({ service, signal }, 'holdfast stops')
        void stop(checked)
      })
    },
    async health() {
      const health = await healthOf(storage, parts, clock)
      return { live: true, ready: lifecycle.state === 'running' && works(health), parts: health }
    },
  }
}
