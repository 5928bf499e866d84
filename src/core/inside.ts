import type { Clock } from './clock.ts'
import type { Next, Rescue } from './frame/types.ts'
import { type Way, wayOf } from './frame/way.ts'
import type { Guard } from './guard.ts'

/** One policy as composition sees it. */
export type Part = GuardPart | WrapPart

export interface GuardPart {
  readonly guard: Guard
  /** Made by a user: it may read anything of a context, so it is given a real one. */
  readonly foreign?: boolean
}

export interface WrapPart {
  readonly name: string
  /** Wraps a composed handler. Called once per composition. */
  readonly wrap: (next: Next) => Next
  /** Whose time it uses, where that matters to `rescue`. */
  readonly clock?: Clock
  /** Present on a retry: how it answers for a racing frame directly inside it. */
  readonly rescue?: (again: Next) => Rescue
  /** It may read anything of a context, so it is given a real one. */
  readonly foreign?: boolean
  /** Whether it may answer in the work's place, and notes when it does. */
  readonly answers?: boolean
  /** Whether it calls the work more than once. */
  readonly repeats?: boolean
  /** Where the readouts of the policy live; a guard is its own. */
  readonly owner?: object
}

/** What a policy function carries: its parts outermost first, and what it composed for `run`. */
export interface Inside {
  readonly parts: readonly Part[]
  /** The composed `run`, made at the first call. */
  running: Next | null
  /** The same, made at the first call while contexts are ambient. */
  runningAmbient: Next | null
  /** Whether `running` understands `quiet`. */
  readonly quiet: boolean
  /** Whether some part may answer in the work's place. */
  readonly answers: boolean
  /** Whether a call that has no context needs one made: nobody inside makes it, or the outermost part is a user's. */
  readonly needsContext: boolean
  /** The one guard it consists of, where that is one of ours that does not race: `run` needs no composition then. */
  readonly alone: OneGuard | null
}

export const insideOf = (parts: readonly Part[]): Inside => {
  const [part] = parts
  const alone = parts.length === 1 && part !== undefined && 'guard' in part && part.foreign !== true && part.guard.races !== true
  return alone ? new OneGuard(part.guard) : new Several(parts)
}

class Several implements Inside {
  readonly parts: readonly Part[]
  readonly alone = null
  running: Next | null = null
  runningAmbient: Next | null = null
  readonly quiet: boolean
  readonly answers: boolean
  readonly needsContext: boolean

  constructor(parts: readonly Part[]) {
    this.parts = parts
    const outermost = parts[0]
    this.quiet = outermost !== undefined && 'guard' in outermost
    this.answers = parts.some((part) => 'wrap' in part && part.answers === true)
    this.needsContext = outermost === undefined || outermost.foreign === true
  }
}

/** Most policies, and wherever there are thousands of them, are one guard: what can be said of all such is not kept in each. */
class OneGuard implements Inside {
  readonly guard: Guard
  readonly way: Way
  /** Not null once it was run in another way than plainly. */
  #composed: Pick<Inside, 'running' | 'runningAmbient'> | null = null

  constructor(guard: Guard) {
    this.guard = guard
    this.way = wayOf(guard)
  }

  get running(): Next | null {
    return this.#composed === null ? null : this.#composed.running
  }
  set running(running: Next) {
    this.#composed = { running, runningAmbient: this.runningAmbient }
  }
  get runningAmbient(): Next | null {
    return this.#composed === null ? null : this.#composed.runningAmbient
  }
  set runningAmbient(runningAmbient: Next) {
    this.#composed = { running: this.running, runningAmbient }
  }
  get parts(): readonly Part[] {
    return [{ guard: this.guard }]
  }
  get quiet(): boolean {
    return true
  }
  get answers(): boolean {
    return false
  }
  get needsContext(): boolean {
    return false
  }
  get alone(): OneGuard {
    return this
  }
}

/** Found by symbol, so that policies of the ESM and of the CommonJS copy compose with each other. */
export const INSIDE: unique symbol = Symbol.for('holdfast/policy') as never
