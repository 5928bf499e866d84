// Stores as many processes see them: late, forgetful, away.
import { memoryStorage, memoryStore } from '../../src/adapters/memory/index.ts'
import type { Clock } from '../../src/core/clock.ts'
import { HoldfastError } from '../../src/core/errors.ts'
import type { KeyValue, PutOptions } from '../../src/ports/key-value.ts'
import { type TestClock, testClock } from '../../src/testing/test-clock.ts'

export interface Weather {
  /** How long a request and an answer travel. */
  thereMs: () => number
  backMs: () => number
  /** `lost`: it arrives nowhere; `unanswered`: it is done, but nobody learns of it. */
  fate: () => 'arrives' | 'lost' | 'unanswered'
}

export const calm = (): Weather => ({ thereMs: () => 0, backMs: () => 0, fate: () => 'arrives' })

export interface World {
  readonly clock: TestClock
  readonly store: KeyValue
  /** Another process's way to the store. */
  through(weather: Weather): KeyValue
  /** A process's clock: runs at the same rate from another beginning. */
  shifted(byMs: number): Clock
  asked: number
}

export async function world(): Promise<World> {
  const clock = testClock()
  const store = memoryStorage({ clock, store: memoryStore() }).keyValue
  await store.open()
  const pass = (ms: number): Promise<void> | undefined => (ms <= 0 ? undefined : new Promise((resolve) => void clock.setTimer(resolve, ms)))
  const made: World = {
    clock,
    store,
    asked: 0,
    shifted: (byMs) => ({ nowMs: () => clock.nowMs() + byMs, epochMs: () => clock.epochMs() - byMs, setTimer: clock.setTimer }),
    through(weather) {
      async function travel<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
        made.asked += 1
        const fate = weather.fate()
        await pass(weather.thereMs())
        const answer = fate === 'lost' ? undefined : await work()
        await pass(weather.backMs())
        // A store that does not answer does not heed signals either.
        if (fate !== 'arrives') throw new HoldfastError('STORAGE_UNAVAILABLE', `the request is ${fate}`, { retry: 'later' })
        if (signal?.aborted === true) throw signal.reason
        return answer as T
      }
      const bare = <O extends { readonly signal?: AbortSignal }>(options: O | undefined): O => {
        const { signal: _, ...rest } = options ?? {}
        return rest as O
      }
      return {
        ...store,
        get: (key, signal) => travel(() => store.get(key), signal),
        put: (key, value, options) => travel(() => store.put(key, value, bare<PutOptions>(options)), options?.signal),
        increment: (key, by, options) => travel(() => store.increment(key, by, bare(options)), options?.signal),
      } as KeyValue
    },
  }
  return made
}

/** The most that passed in any span of so many milliseconds, both ends included where `closed`. */
export function mostIn(passedMs: readonly number[], spanMs: number): number {
  const sorted = [...passedMs].sort((a, b) => a - b)
  let most = 0
  for (let from = 0, to = 0; to < sorted.length; to++) {
    while ((sorted[to] as number) - (sorted[from] as number) >= spanMs) from += 1
    most = Math.max(most, to - from + 1)
  }
  return most
}
