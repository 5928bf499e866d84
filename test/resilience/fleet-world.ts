// Several instances of one service over one store, each with its own way to it.
import { memoryStorage, memoryStore } from '../../src/adapters/memory/index.ts'
import { HoldfastError } from '../../src/core/errors.ts'
import {
  type CircuitBreaker,
  type CircuitBreakerOptions,
  circuitBreaker,
  consecutive,
  type Fleet,
  type FleetOptions,
  fleet,
} from '../../src/index.ts'
import type { KeyValue } from '../../src/ports/key-value.ts'
import { type TestClock, testClock } from '../../src/testing/test-clock.ts'

export interface Instance {
  readonly breaker: CircuitBreaker
  readonly fleet: Fleet
  readonly heard: string[]
  /** Cuts it off from the store, or lets it back. */
  cut: 'no' | 'at once' | 'silently'
}

export interface FleetWorld {
  readonly clock: TestClock
  /** What the storages of all instances have in common. */
  readonly content: ReturnType<typeof memoryStore>
  readonly store: KeyValue
  readonly asked: { count: number }
  make(options?: { readonly breaker?: CircuitBreakerOptions; readonly fleet?: Partial<FleetOptions> }): Instance
  /** What a failover may do. */
  forgetLeases(): void
  /** The fleet's record as it stands in the store. */
  record(): Promise<{ readonly state: string; readonly openMs: number; readonly by: string; readonly revision: number } | undefined>
}

export const OPEN_MS = 10_000
export const HEARTBEAT_MS = 1_000
export const STALE_MS = 5_000

export async function fleetWorld(): Promise<FleetWorld> {
  const clock = testClock()
  const content = memoryStore()
  const { keyValue: store } = memoryStorage({ clock, store: content })
  await store.open()
  const asked = { count: 0 }
  let made = 0

  const through = <P extends object>(port: P, instance: () => Instance): P =>
    new Proxy(port, {
      get(target, name) {
        const method = Reflect.get(target, name) as (...args: unknown[]) => unknown
        if (name === 'watch' || typeof method !== 'function') return method.bind(target)
        return async (...args: unknown[]) => {
          asked.count += 1
          const { cut } = instance()
          if (cut === 'at once') throw new HoldfastError('STORAGE_UNAVAILABLE', 'cut off', { retry: 'later' })
          if (cut === 'silently') await new Promise(() => {})
          return method.apply(target, args)
        }
      },
    })

  return {
    clock,
    content,
    store,
    asked,
    make(options = {}) {
      const storage = memoryStorage({ clock, store: content })
      void storage.open()
      const breaker = circuitBreaker({ name: 'inventory', trips: consecutive(2), openMs: OPEN_MS, clock, ...options.breaker })
      const together = fleet(breaker, {
        store: {
          keyValue: through(storage.keyValue, () => instance),
          lease: through(storage.lease, () => instance),
        },
        instance: `i${made++}`,
        heartbeatMs: HEARTBEAT_MS,
        storeTimeoutMs: 200,
        random: () => 0.5,
        ...options.fleet,
      })
      const heard: string[] = []
      for (const event of ['opened', 'halfOpened', 'closed', 'joined', 'lost'] as const) together.on(event, () => heard.push(event))
      const instance: Instance = { breaker, fleet: together, heard, cut: 'no' }
      return instance
    },
    forgetLeases: () => content.names.clear(),
    async record() {
      const entry = await store.get('holdfast/fleet/inventory/state')
      return entry && { ...JSON.parse(entry.value), revision: entry.revision }
    },
  }
}

export const works = async (): Promise<string> => 'ok'
export const fails = async (): Promise<never> => {
  throw new Error('down')
}

/** Has an instance's own breaker trip. */
export async function trip({ breaker }: Instance): Promise<void> {
  for (let n = 0; n < 2; n++) await breaker.tryRun(fails)
}
