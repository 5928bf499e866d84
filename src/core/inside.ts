import type { Clock } from './clock.ts'
import type { Next, Rescue } from './frame/types.ts'
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
export class Inside {
  readonly parts: readonly Part[]
  /** The composed `run`, made at the first call. */
  running: Next | null = null
  /** The same, made at the first call while contexts are ambient. */
  runningAmbient: Next | null = null
  /** Whether `running` understands `quiet`. */
  readonly quiet: boolean
  /** Whether some part may answer in the work's place. */
  readonly answers: boolean
  /** Whether a call that has no context needs one made: nobody inside makes it, or the outermost part is a user's. */
  readonly needsContext: boolean

  constructor(parts: readonly Part[]) {
    this.parts = parts
    const outermost = parts[0]
    this.quiet = outermost !== undefined && 'guard' in outermost
    this.answers = parts.some((part) => 'wrap' in part && part.answers === true)
    this.needsContext = outermost === undefined || outermost.foreign === true
  }
}

/** Found by symbol, so that policies of the ESM and of the CommonJS copy compose with each other. */
export const INSIDE: unique symbol = Symbol.for('holdfast/policy') as never
