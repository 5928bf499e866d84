import type { Clock } from './clock.ts'
import type { Context, ContextChange } from './context.ts'
import { type Ctx, derive } from './ctx.ts'
import { changeMeta, NO_META } from './meta.ts'
import { checkOptions } from './options.ts'
import { any, clock, durationMs, optional, text, whole } from './rules.ts'

export interface ContextInit extends ContextChange {
  /** The context is aborted when this is. */
  readonly signal?: AbortSignal
  readonly clock?: Clock
}

const plainObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value)
const isSignal = (value: unknown): value is AbortSignal =>
  plainObject(value) &&
  typeof (value as AbortSignal).aborted === 'boolean' &&
  typeof (value as AbortSignal).addEventListener === 'function' &&
  typeof (value as AbortSignal).removeEventListener === 'function'

/** What may arrive in a header may be handed on. */
const HEADER_MAX = 255

export const contextRules = {
  timeoutMs: optional(durationMs({ default: 0 })),
  attempt: optional(whole({ min: 1, default: 1 })),
  idempotencyKey: optional(text('', HEADER_MAX)),
  tenant: optional(text('')),
  keys: optional(
    any<Record<string, string>>(
      'an object of texts',
      (v) => plainObject(v) && Object.values(v as object).every((x) => typeof x === 'string'),
      {},
    ),
  ),
  trace: optional(any<NonNullable<ContextChange['trace']>>('a trace context', plainObject, { traceId: '', spanId: '', flags: 0 })),
  correlationId: optional(text('', HEADER_MAX)),
  causationId: optional(text('', HEADER_MAX)),
  values: optional(any<ReadonlyMap<unknown, unknown>>('a Map', (v) => v instanceof Map, new Map())),
  signal: optional(any<AbortSignal>('an AbortSignal', isSignal, new AbortController().signal)),
  clock: optional(clock),
}

/**
 * Makes a context: where a request enters the process, or to hand identity and a deadline to `run`. It costs no AbortController and no
 * timer until somebody below waits or reads `signal`.
 *
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none) for an unknown option or a wrong value.
 * @example
 * ```ts
 * const context = createContext({ tenant: 'acme', timeoutMs: 2_000 })
 * await guard.run(({ signal }) => fetch(url, { signal }), { context })
 * ```
 */
export function createContext(init?: ContextInit): Context {
  const { signal, clock, timeoutMs, attempt, ...rest } = checkOptions('createContext', init, contextRules)
  const change = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined))
  const meta = init === undefined ? NO_META : changeMeta(NO_META, clock === undefined ? change : { ...change, clock })
  return derive(null, meta, attempt ?? 1, timeoutMs, signal) satisfies Ctx
}
