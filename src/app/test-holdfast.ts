import { memoryStorage, memoryTransport } from '../adapters/memory/index.ts'
import { checkOptions } from '../core/options.ts'
import { any, flag, optional } from '../core/rules.ts'
import { type TestClock, testClock } from '../testing/test-clock.ts'
import { type Holdfast, type HoldfastOptions, holdfast } from './holdfast.ts'

export interface TestHoldfastOptions extends Pick<HoldfastOptions, 'sagas' | 'subscriptions' | 'ambient' | 'logger'> {
  /** Whose time it runs on; default one of its own. */
  readonly clock?: TestClock
}

export interface TestHoldfast extends Holdfast {
  readonly clock: TestClock
}

const isTestClock = (value: unknown): boolean => typeof (value as Partial<TestClock> | null)?.advance === 'function'

/**
 * An application in this process's memory, on virtual time: retries, timeouts, leases and delays of its sagas and subscriptions pass when
 * the test says so.
 *
 * Policies that were given no clock of their own still live in real time; `clock.install()` brings them along until it is taken back.
 *
 * @param options
 * - `sagas`, `subscriptions`, `ambient`, `logger`: as in `holdfast()`.
 * - `clock`: default a `testClock()` of its own.
 * @throws {HoldfastError} `INVALID_OPTIONS`, `NAME_REUSED` (effect none), as `holdfast()`.
 * @example
 * ```ts
 * const hf = testHoldfast({ sagas: [refund] })
 * await hf.start()
 * const handle = await hf.sagas.start(refund, { id: 'r1' }, { id: 'r1' })
 * await hf.clock.advance(60_000)
 * expect(await handle.result()).toEqual({ paid: 'p1' })
 * await hf.stop()
 * ```
 */
export function testHoldfast(options: TestHoldfastOptions = {}): TestHoldfast {
  const { clock = testClock(), ...rest } = checkOptions('testHoldfast', options, rules)
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined))
  const hf = holdfast({ service: 'test', storage: memoryStorage({ clock }), transport: memoryTransport({ clock }), clock, ...given })
  return { ...hf, clock }
}

const anything = optional(any<undefined>('what holdfast() takes', () => true, undefined))

const rules = {
  sagas: anything,
  subscriptions: anything,
  logger: anything,
  ambient: flag(false),
  clock: optional(any<TestClock | undefined>('made by testClock()', isTestClock, undefined)),
}
