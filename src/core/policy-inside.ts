import type { Recovery } from './handler.ts'
import { INSIDE, type Inside, type Part } from './inside.ts'
import { invalidOption } from './options.ts'

/** What every policy function carries. */
export interface Carrier {
  readonly [INSIDE]: Inside
}

/** The parts of a policy, outermost first. @throws {HoldfastError} `INVALID_OPTIONS` (effect none) for anything else. */
export function partsOf(owner: string, policy: unknown): readonly Part[] {
  const inside = typeof policy === 'function' ? (policy as Partial<Carrier>)[INSIDE] : undefined
  if (inside === undefined) throw invalidOption(owner, 'each policy', 'made by a policy factory or by policy()', policy)
  return inside.parts
}

/** Whether a policy calls the work more than once: where the engine retries, such a policy would multiply the attempts. */
export const containsRetry = (policy: Recovery<unknown>): boolean =>
  partsOf('policy', policy).some((part) => 'repeats' in part && part.repeats === true)

/** What the readouts of a policy of ours read: its guard, or the owner its part names. */
export function ownerOf<O>(policy: unknown): O {
  const part = (policy as Carrier)[INSIDE].parts[0] as Part
  return ('guard' in part ? part.guard : part.owner) as O
}
