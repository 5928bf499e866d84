import { afterEach, beforeEach } from 'vitest'
import { type Ctx, isContext } from '../../src/core/ctx.ts'
import { HoldfastError } from '../../src/core/errors.ts'
import type { Guard } from '../../src/core/guard.ts'
import type { Policy } from '../../src/core/handler.ts'
import { makePolicy } from '../../src/core/policy.ts'
import { testClock } from '../../src/testing/test-clock.ts'

/** A promise that the test settles. */
export interface Deferred<T = unknown> {
  readonly promise: Promise<T>
  resolve(value: T): void
  reject(error: unknown): void
}

export function deferred<T = unknown>(): Deferred<T> {
  let resolve: (value: T) => void = () => {}
  let reject: (error: unknown) => void = () => {}
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}

/** Waits until pending promise callbacks, and what is given back at the end of a turn, have run. */
export const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
}

/** What a function throws; fails where it does not, or throws something that is not ours. */
export function thrownBy(act: () => unknown): HoldfastError {
  try {
    act()
  } catch (error) {
    if (error instanceof HoldfastError) return error
    throw error
  }
  throw new Error('it was expected to throw')
}

/** What a promise rejects with; fails where it does not, or with something that is not ours. */
export async function refusedBy(answer: Promise<unknown>): Promise<HoldfastError> {
  try {
    await answer
  } catch (error) {
    if (error instanceof HoldfastError) return error
    throw error
  }
  throw new Error('it was expected to reject')
}

/** The inside of a context. */
export function inside(context: unknown): Ctx {
  if (!isContext(context)) throw new Error('not a context')
  return context as Ctx
}

/** A signal whose native listeners are counted; one that was told of the abort has left. */
export function countedSignal() {
  const controller = new AbortController()
  const { signal } = controller
  const heard = new Set<unknown>()
  let most = 0
  const add = signal.addEventListener.bind(signal)
  const remove = signal.removeEventListener.bind(signal)
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    heard.add(args[1])
    most = Math.max(most, heard.size)
    add(...args)
  }
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    heard.delete(args[1])
    remove(...args)
  }
  return {
    signal,
    get listeners() {
      return heard.size
    },
    get most() {
      return most
    },
    abort(reason?: unknown) {
      controller.abort(reason)
      heard.clear()
    },
  }
}

const trap = (): never => {
  throw new Error('do not touch')
}

/** Values that fail when they are looked at. */
export const hostile: Array<[string, unknown]> = [
  ['a revoked proxy', revoked()],
  ['a proxy that throws', new Proxy({}, { get: trap, has: trap, ownKeys: trap, getPrototypeOf: trap })],
  [
    'an object with throwing getters',
    Object.defineProperties({}, Object.fromEntries(['code', 'constructor', 'then'].map((name) => [name, { get: trap }]))),
  ],
  ['an object without a prototype', Object.create(null)],
]

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

/** Values of every kind that no option or argument can be. */
export const rubbish: Array<[string, unknown]> = [
  ['null', null],
  ['NaN', Number.NaN],
  ['infinity', Number.POSITIVE_INFINITY],
  ['minus one', -1],
  ['a fraction', 1.5],
  ['a text', 'three'],
  ['an empty text', ''],
  ['a bigint', 3n],
  ['a symbol', Symbol('three')],
  ['true', true],
  ['an array', [3]],
  ['an object', { three: 3 }],
  ['a date', new Date(3)],
  ['a map', new Map()],
  ['a function', () => 3],
  ...hostile,
]

/** Stops the default clock for every test of a file: nothing ends because the machine was busy. */
export function virtualTime(): void {
  let restore = (): void => {}
  beforeEach(() => {
    restore = testClock().install()
  })
  afterEach(() => {
    restore()
  })
}

/** A policy of one of our own guards, without the check that users' guards get. */
export const guardPolicy = (own: Guard): Policy => makePolicy([{ guard: own }])

/** What surfaces as an uncaught exception while `act` runs and until the turn after it. */
export async function uncaughtWhile(act: () => unknown): Promise<unknown[]> {
  const uncaught: unknown[] = []
  const listen = (error: unknown): void => void uncaught.push(error)
  const former = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', listen)
  try {
    await act()
    await settled()
  } finally {
    process.off('uncaughtException', listen)
    for (const each of former) process.on('uncaughtException', each)
  }
  return uncaught
}
