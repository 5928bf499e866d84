import { compose } from './compose.ts'
import type { Context } from './context.ts'
import { type Ctx, freshCtx, isContext } from './ctx.ts'
import type { Next } from './frame/types.ts'
import type { Handler, Layer, Recovery, Wrapper } from './handler.ts'
import { INSIDE, type Inside, type Part } from './inside.ts'
import { invalidOption } from './options.ts'
import { invoke, notAContext, strict } from './policy.ts'

/** Composes policies and layers, outermost first, and infers what the handler receives and what the whole returns. Immutable. */
export interface Stack<In, InnerIn, C extends Context, InnerC extends Context, Alt = never> {
  use<A>(recovery: Recovery<A>): Stack<In, InnerIn, C, InnerC, Alt | A>
  use(wrapper: Wrapper): Stack<In, InnerIn, C, InnerC, Alt>
  use<NextIn, NextC extends Context>(layer: Layer<InnerIn, NextIn, InnerC, NextC>): Stack<In, NextIn, C, NextC, Alt>
  handle<Out>(handler: Handler<InnerIn, Out, InnerC>): Handler<In, Out | Alt, C>
}

/**
 * Starts a stack of policies and layers.
 *
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none) from `use` and `handle`, for anything that is not a function.
 * @example
 * ```ts
 * const reserve = stack<unknown>()
 *   .use(validated(ReserveStock))
 *   .use(guard)
 *   .handle(async (command, ctx) => inventory.reserve(command.sku, ctx.signal))
 * ```
 */
export const stack = <In, C extends Context = Context>(): Stack<In, In, C, C> => new Parts([]) as unknown as Stack<In, In, C, C>

class Parts {
  readonly #parts: readonly Part[]
  constructor(parts: readonly Part[]) {
    this.#parts = parts
  }

  use(each: unknown): Parts {
    if (typeof each !== 'function') throw invalidOption('stack', 'what it uses', 'a policy or a layer', each)
    const inside = (each as { readonly [INSIDE]?: Inside })[INSIDE]
    return new Parts([...this.#parts, ...(inside === undefined ? [layerPart(each as (next: unknown) => unknown)] : inside.parts)])
  }

  handle(handler: unknown): Next {
    if (typeof handler !== 'function') throw invalidOption('stack', 'the handler', 'a function', handler)
    const call = compose(this.#parts, handler as Next)
    return (input: unknown, ctx: Ctx | undefined) => {
      if (ctx !== undefined && !isContext(ctx)) return Promise.reject(notAContext('stack', ctx))
      return invoke(call, input, ctx ?? freshCtx())
    }
  }
}

function layerPart(layer: (next: unknown) => unknown): Part {
  const name = layer.name === '' ? 'layer' : layer.name
  return {
    name,
    foreign: true,
    wrap: (next) => {
      const handler = layer(strict(`stack: ${name}`, next))
      if (typeof handler !== 'function') throw invalidOption(`stack: ${name}`, 'what it returns', 'a handler', handler)
      return handler as Next
    },
  }
}
