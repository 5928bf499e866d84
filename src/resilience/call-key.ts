import type { Context } from '../core/context.ts'
import { HoldfastError } from '../core/errors.ts'
import { type Rule, show } from '../core/options.ts'
import { any, required } from '../core/rules.ts'

/** Which calls are the same: the name of a key in `ctx.keys`, or a function of the context and the handler's input. */
export type CallKey = string | ((ctx: Context, input: unknown) => string | undefined)

export const callKey: Rule<CallKey> = /* @__PURE__ */ required(
  any<CallKey>(
    'the name of a key, or a function of the context and the input',
    (value) => typeof value === 'function' || (typeof value === 'string' && value !== ''),
    '',
  ),
)

/** Reads the key of a call. @throws {HoldfastError} `INVALID_INPUT` (effect none) for anything but a text or undefined. */
export function keyReader(owner: string, by: CallKey): (ctx: Context, input: unknown) => string | undefined {
  const keyOf: (ctx: Context, input: unknown) => unknown = typeof by === 'function' ? by : (ctx) => ctx.keys[by]
  return (ctx, input) => {
    const key = keyOf(ctx, input)
    if (key === undefined || typeof key === 'string') return key
    throw new HoldfastError('INVALID_INPUT', `${owner}: by must return a text or undefined, got ${show(key)}`, {
      effect: 'none',
      retry: 'never',
    })
  }
}
