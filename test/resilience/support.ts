import type { Context } from '../../src/core/context.ts'
import { createContext } from '../../src/core/create-context.ts'
import { type Ctx, isContext } from '../../src/core/ctx.ts'
import { HoldfastError } from '../../src/core/errors.ts'
import type { Outcome } from '../../src/core/outcome.ts'
import type { TestClock } from '../../src/testing/test-clock.ts'

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

/** `'ok'`, the code of one of our errors, or what was thrown. */
export function codeOf(outcome: Outcome<unknown>): unknown {
  if (outcome.ok) return 'ok'
  return outcome.error instanceof HoldfastError ? outcome.error.code : outcome.error
}

export function errorOf(outcome: Outcome<unknown>): HoldfastError {
  if (outcome.ok || !(outcome.error instanceof HoldfastError)) throw new Error('expected one of our errors')
  return outcome.error
}

/** What is thrown where nobody expects an answer of the work. */
export const boom = (): never => {
  throw new Error('boom')
}

/** What a function throws; fails where it does not. */
export function thrownBy(act: () => unknown): HoldfastError {
  try {
    act()
  } catch (error) {
    if (error instanceof HoldfastError) return error
    throw error
  }
  throw new Error('it was expected to throw')
}

/** Work that ends as its signal says: with the abort's reason. */
export const untilAborted = ({ signal }: { readonly signal: AbortSignal }): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))

/** An AbortSignal that counts the listeners on it. */
export function countedSignal(): {
  readonly signal: AbortSignal
  readonly listeners: () => number
  readonly abort: (why?: unknown) => void
} {
  const controller = new AbortController()
  const { signal } = controller
  let listeners = 0
  const add = signal.addEventListener.bind(signal)
  const remove = signal.removeEventListener.bind(signal)
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners += 1
    add(...args)
  }
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners -= 1
    remove(...args)
  }
  const abort = (why?: unknown): void => {
    controller.abort(why)
    // Ours listen once, so the platform has removed them.
    listeners = 0
  }
  return { signal, listeners: () => listeners, abort }
}

/** A context with a deadline on the test's clock. */
export const within = (timeoutMs: number, clock: TestClock) => {
  const context = createContext({ timeoutMs, clock })
  if (!isContext(context)) throw new Error('createContext() makes contexts')
  return { context }
}

/** How many wait to hear that a context was aborted: the links of the contexts below it that have not ended. */
export function waitersOn(context: Context): number {
  const ring = (context as Ctx).more?.waits
  if (ring === null || ring === undefined) return 0
  let waiters = 0
  for (let each = ring.next; each !== null && each !== ring; each = each.next) waiters += 1
  return waiters
}
