import { HoldfastError, isRefusal } from './errors.ts'
import { type Guard, isPending, isPermit, type Permit, type Refusal } from './guard.ts'
import type { Policy } from './handler.ts'
import { checkName, fits, invalidOption, show } from './options.ts'
import { makePolicy } from './policy.ts'
import { clock } from './rules.ts'

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

/** What a user's guard does against its promise (throws, rejects, answers with nothing) is a refusal: the guards around it stay balanced. */
function sheltered(own: Guard, owner: string): Guard {
  const broken = (what: string, given: unknown): Refusal =>
    new HoldfastError('INVALID_OPTIONS', `${owner}: enter ${what} ${show(given)}`, { effect: 'none', retry: 'never', cause: given })
  const checked = (entry: Permit | Refusal): Permit | Refusal => {
    if (typeof entry === 'object' && entry !== null && (isPermit(entry) || entry instanceof HoldfastError)) return entry
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
