import type { Context } from '../core/context.ts'
import { freshCtx } from '../core/ctx.ts'
import { diagnostics } from '../core/diagnostics.ts'
import { HoldfastError } from '../core/errors.ts'
import { Emitter } from '../core/events.ts'
import type { Next } from '../core/frame/types.ts'
import type { Recovery } from '../core/handler.ts'
import { checkOptions, invalidOption } from '../core/options.ts'
import { text } from '../core/rules.ts'
import { markSource } from '../core/source.ts'
import { type Managed, managed, managedKind, type Owner } from './managed.ts'

export interface FallbackOptions {
  /** Stands for it in metrics and events; default `fallback`. */
  readonly name?: string
}

export interface FallbackStats {
  /** Calls that were answered with the alternative. */
  readonly answered: number
  /** Calls for which there was none, because the function threw. */
  readonly failed: number
}

export type FallbackEvents = {
  /** `error` is what the work failed with. */
  readonly answered: { readonly name: string; readonly error: unknown }
}

export interface Fallback<A> extends Recovery<A>, Managed<FallbackStats, Record<never, never>, FallbackEvents> {
  readonly name: string
}

type Alternative = (error: unknown, ctx: Context) => unknown

/**
 * Answers in the work's place when it fails: with a value, or with what a function of the error returns. A recovery: the compiler adds
 * the alternative to the result's type.
 *
 * `tryRun` says in `outcome.source` who answered: `'work'` or `'fallback'`. A caller who gave up, or whose deadline has passed, gets no
 * alternative, because nobody waits for it; a `TIMEOUT` of a timeout inside gets one. Where the function itself throws, that error goes out.
 *
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none) when the alternative is missing, or for an option that does not fit.
 * @example
 * ```ts
 * const price = await policies(fallback(null), circuitBreaker()).run(() => quote(sku))
 * ```
 */
export function fallback<A>(alternative: A | ((error: unknown, ctx: Context) => A | Promise<A>), options?: FallbackOptions): Fallback<A> {
  if (alternative === undefined)
    throw invalidOption('fallback', 'the alternative', 'a value (null, perhaps) or a function of the error', alternative)
  const { name } = checkOptions('fallback', options, { name: text('fallback') })
  const answer = typeof alternative === 'function' ? (alternative as Alternative) : () => alternative
  const owner = new FallbackOwner(name, answer)
  return managed<Fallback<A>>('fallback', { name, owner, answers: true, wrap: owner.wrap }, fallbackKind)
}

const fallbackKind = /* @__PURE__ */ managedKind<FallbackEvents>({ answered: true })

class FallbackOwner implements Owner<FallbackStats, FallbackEvents> {
  readonly name: string
  readonly events = new Emitter<FallbackEvents>()
  readonly #answer: Alternative
  #answered = 0
  #failed = 0

  constructor(name: string, answer: Alternative) {
    this.name = name
    this.#answer = answer
  }

  stats(): FallbackStats {
    return { answered: this.#answered, failed: this.#failed }
  }

  /** Nothing of it can be changed while it works. */
  reconfigure(changes: object): void {
    checkOptions(`fallback ${this.name}`, changes, {})
  }

  readonly wrap = (next: Next): Next => {
    const owner = this
    return async function fallback(input, given) {
      const ctx = given ?? freshCtx()
      try {
        return await next(input, ctx)
      } catch (error) {
        if (ctx.aborted || (error instanceof HoldfastError && error.code === 'ABORTED')) throw error
        return await owner.#instead(error, ctx)
      }
    }
  }

  async #instead(error: unknown, ctx: ReturnType<typeof freshCtx>): Promise<unknown> {
    let value: unknown
    try {
      value = await this.#answer(error, ctx)
    } catch (own) {
      this.#failed += 1
      throw own
    }
    markSource(ctx, 'fallback')
    this.#answered += 1
    this.events.emit('answered', { name: this.name, error })
    if (diagnostics.policy.hasSubscribers) diagnostics.policy.publish({ policy: 'fallback', name: this.name, event: 'answered' })
    return value
  }
}
