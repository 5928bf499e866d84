import type { Guard } from './guard.ts'
import type { Policy } from './handler.ts'
import { invalidOption } from './options.ts'
import { makePolicy } from './policy.ts'

/**
 * Makes a policy of a guard of your own: something that only admits and accounts. It runs in one async frame with the guards beside it.
 *
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none) when `enter` is missing or the guard wants to race, which only `timeout` may.
 * @example
 * ```ts
 * let running = 0
 * const permit = { leave: () => void running-- }
 * const gauge = guard({ name: 'gauge', enter: () => (running++, permit) })
 * ```
 */
export function guard(own: Guard): Policy {
  if (typeof own !== 'object' || own === null || typeof own.enter !== 'function') throw invalidOption('guard', 'enter', 'a function', own)
  if (typeof own.name !== 'string' || own.name === '') throw invalidOption('guard', 'name', 'a text of 1 to 200 characters', own.name)
  if (own.races === true)
    throw invalidOption(`guard ${own.name}`, 'races', 'absent (only timeout may answer in the place of the work)', own.races)
  return makePolicy([{ guard: own, foreign: true }], undefined, own.name)
}
