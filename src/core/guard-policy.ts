import { HoldfastError, isRefusal } from './errors.ts'
import { type Guard, isPending, isPermit, type Permit, type Refusal } from './guard.ts'
import type { Policy } from './handler.ts'
import { checkName, fits, invalidOption, show } from './options.ts'
import { makePolicy } from './policy.ts'
import { clock } from './rules.ts'
import { surface } from './surface.ts'

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
  checkName('guard', own.name)
  const owner = `guard ${own.name}`
  if (own.races === true) throw invalidOption(owner, 'races', 'absent (only timeout may answer in the place of the work)', own.races)
  if (own.clock !== undefined && !fits(clock, own.clock)) throw invalidOption(owner, 'clock', clock.must, own.clock)
  return makePolicy([{ guard: sheltered(own, owner), foreign: true }], undefined, own.name)
}

/**
 * What a user's guard does against its promise stays its own: where `enter` throws, rejects or answers with nothing, that is a refusal, and
 * where a permit throws, that surfaces by itself. The guards around it stay balanced, and the caller has its answer.
 */
function sheltered(own: Guard, owner: string): Guard {
  // Permits are shared objects, so the last one is nearly always the one again.
  let last: Permit | null = null
  let lastSheltered: Permit | null = null
  const permitted = (permit: Permit): Permit => {
    if (permit === last && lastSheltered !== null) return lastSheltered
    last = permit
    lastSheltered = shelteredPermit(permit)
    return lastSheltered
  }
  const broken = (what: string, given: unknown): Refusal =>
    new HoldfastError('INVALID_OPTIONS', `${owner}: enter ${what} ${show(given)}`, { effect: 'none', retry: 'never', cause: given })
  const checked = (entry: Permit | Refusal): Permit | Refusal => {
    if (typeof entry === 'object' && entry !== null) {
      if (isPermit(entry)) return permitted(entry)
      if (entry instanceof HoldfastError) return entry
    }
    return broken('must answer with a permit or a refusal, got', entry)
  }
  // A refusal that is thrown in the place of being returned is one all the same.
  const failed = (error: unknown): Refusal => (isRefusal(error) ? error : broken('must never throw, it threw', error))
  const enter: Guard['enter'] = (ctx, nowMs) => {
    try {
      const entry = own.enter(ctx, nowMs)
      if (typeof entry === 'object' && entry !== null && isPending(entry)) return Promise.resolve(entry).then(checked).catch(failed)
      return checked(entry)
    } catch (error) {
      return failed(error)
    }
  }
  const { name, timed, keeps, clock } = own
  return {
    name,
    enter,
    ...(timed !== undefined && { timed }),
    ...(keeps !== undefined && { keeps }),
    ...(clock !== undefined && { clock }),
  }
}

function shelteredPermit(permit: Permit): Permit {
  const { bound } = permit
  const release = (): void => {
    try {
      permit.release?.()
    } catch (error) {
      surface(error)
    }
  }
  return {
    leave(ok, result, enteredMs, nowMs) {
      try {
        permit.leave(ok, result, enteredMs, nowMs)
      } catch (error) {
        surface(error)
      }
    },
    ...(permit.release !== undefined && { release }),
    ...(bound !== undefined && { bound }),
  }
}
