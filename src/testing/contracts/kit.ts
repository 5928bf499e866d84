import { isDeepStrictEqual } from 'node:util'
import { HoldfastError } from '../../core/errors.ts'
import { show } from '../../core/options.ts'

/**
 * One case of a contract kit: data, so that any test runner can run it.
 *
 * @example
 * ```ts
 * for (const { promise, name, run } of sagaJournalContract) test(`promise ${promise}: ${name}`, () => run(make))
 * ```
 */
export interface ContractCase<Make> {
  /** The number of the promise in the port's comment. */
  readonly promise: number
  /** A sentence in the present tense. */
  readonly name: string
  /** Rejects with a plain error that says what was expected and what came. Ends what it made. */
  readonly run: (make: Make) => Promise<void>
}

/** Throws unless both are deeply and strictly equal. */
export function same(what: string, actual: unknown, expected: unknown): void {
  if (isDeepStrictEqual(actual, expected)) return
  throw new Error(`${what}: expected ${shown(expected)}, got ${shown(actual)}`)
}

export function check(what: string, holds: boolean): void {
  if (!holds) throw new Error(`${what}: does not hold`)
}

/** Throws unless the work rejects with a `HoldfastError` of that code; returns the error. */
export async function refuses(what: string, code: string, work: () => Promise<unknown>): Promise<HoldfastError> {
  let value: unknown
  try {
    value = await work()
  } catch (error) {
    if (error instanceof HoldfastError && error.code === code) return error
    throw new Error(`${what}: expected ${code}, got ${error instanceof HoldfastError ? error.code : String(error)}`, { cause: error })
  }
  throw new Error(`${what}: expected ${code}, but it answered ${shown(value)}`)
}

function shown(value: unknown): string {
  try {
    return JSON.stringify(value) ?? show(value)
  } catch {
    return show(value)
  }
}
