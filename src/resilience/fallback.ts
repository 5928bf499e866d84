import type { Context } from '../core/context.ts'
import { freshCtx } from '../core/ctx.ts'
import { HoldfastError } from '../core/errors.ts'
import type { Recovery } from '../core/handler.ts'
import { invalidOption } from '../core/options.ts'
import { makePolicy } from '../core/policy.ts'
import { markSource } from '../core/source.ts'

/**
 * Answers in the work's place when it fails: with a value, or with what a function of the error returns. A recovery: the compiler adds
 * the alternative to the result's type.
 *
 * `tryRun` says in `outcome.source` who answered: `'work'` or `'fallback'`. A caller who gave up (`ABORTED`) gets no alternative, because nobody waits for it. Where the function itself throws, that error goes out.
 *
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none) when the alternative is missing.
 * @example
 * ```ts
 * const price = await policies(fallback(null), circuitBreaker()).run(() => quote(sku))
 * ```
 */
export function fallback<A>(alternative: A | ((error: unknown, ctx: Context) => A | Promise<A>)): Recovery<A> {
  if (alternative === undefined)
    throw invalidOption('fallback', 'the alternative', 'a value (null, perhaps) or a function of the error', alternative)
  const answer = typeof alternative === 'function' ? (alternative as (error: unknown, ctx: Context) => A | Promise<A>) : () => alternative
  return makePolicy([
    {
      name: 'fallback',
      answers: true,
      wrap: (next) =>
        async function fallback(input, given) {
          const ctx = given ?? freshCtx()
          try {
            return await next(input, ctx)
          } catch (error) {
            if (error instanceof HoldfastError && error.code === 'ABORTED') throw error
            const value = await answer(error, ctx)
            markSource(ctx, 'fallback')
            return value
          }
        },
    },
  ])
}
