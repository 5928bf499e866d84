import { runAmbient } from '../../core/ambient.ts'
import type { Clock } from '../../core/clock.ts'
import type { Context } from '../../core/context.ts'
import { createContext } from '../../core/create-context.ts'
import { type Ctx, isContext } from '../../core/ctx.ts'
import { HoldfastError, refusal } from '../../core/errors.ts'
import { contextFromHeaders, type IgnoredHeader } from '../../core/headers.ts'
import { checkOptions } from '../../core/options.ts'
import { clock, durationMs, fn, optional } from '../../core/rules.ts'
import type { Next, RequestSlice, ResponseSlice } from './http.ts'

export interface RequestContextOptions<R> {
  /** Whose request it is; counts where it is a text of 1 to 200 characters. */
  readonly tenant?: (req: R) => string | readonly string[] | undefined
  /** Our own limit for a request, in milliseconds; at least 1, default none. A smaller `holdfast-deadline-ms` of the caller wins. */
  readonly timeoutMs?: number
  /** Told of each header that was malformed and so did not count. */
  readonly ignored?: IgnoredHeader
  readonly clock?: Clock
}

const rules = {
  tenant: optional(fn((_: never): unknown => undefined)),
  timeoutMs: optional(durationMs({ min: 1, default: 1 })),
  ignored: fn<IgnoredHeader>(() => {}),
  clock,
}

/**
 * Gives each request a context, as `req.context` and by `contextOf(req)`: trace, correlation id, idempotency key and deadline from its
 * headers, and a signal that aborts when the client goes away before it has its answer.
 *
 * With `holdfast({ ambient: true })` everything after it in the chain runs inside that context; without, hand it on:
 * `guard.run(task, { context: contextOf(req) })`. Malformed headers are ignored. The context ends with the response.
 *
 * @param options
 * - `tenant`: whose request it is; counts where it is a text of 1 to 200 characters. Default: nobody's.
 * - `timeoutMs`: our own limit, at least 1; a smaller one in the caller's `holdfast-deadline-ms` wins. Default: none.
 * - `ignored`: told the name of each header that did not count, and why. Default: nobody is told.
 * - `clock`: what deadlines are held against. Default: the process's clock.
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none) at construction.
 * @example
 * ```ts
 * app.use(requestContext({ tenant: (req) => req.headers['x-tenant'] }))
 * ```
 */
export function requestContext<R extends RequestSlice = RequestSlice>(
  options?: RequestContextOptions<R>,
): (req: R, res: ResponseSlice, next: Next) => void {
  const checked = checkOptions('requestContext', options, rules)
  const tenantOf = checked.tenant as RequestContextOptions<R>['tenant']
  return function requestContext(req, res, next) {
    try {
      const abort = new AbortController()
      const { timeoutMs = Number.POSITIVE_INFINITY, ...change } = contextFromHeaders(req.headers, checked.ignored)
      const tenant = tenantOf?.(req)
      const limitMs = Math.min(timeoutMs, checked.timeoutMs ?? Number.POSITIVE_INFINITY)
      // Changed by `with`, not at construction: what a client sent never makes the request fail.
      const context = createContext({ signal: abort.signal, clock: checked.clock }).with({
        ...change,
        ...(isTenant(tenant) && { tenant }),
        ...(limitMs !== Number.POSITIVE_INFINITY && { timeoutMs: limitMs }),
      })
      res.once('close', () => {
        if (!res.writableFinished) abort.abort(refusal('ABORTED', 'the client went away', { effect: 'unknown', retry: 'never' }))
        ;(context as Context as Ctx).end()
      })
      contexts.set(req, context)
      Object.assign(req, { context })
      runAmbient(context, next)
    } catch (error) {
      next(error)
    }
  }
}

const isTenant = (tenant: unknown): tenant is string => typeof tenant === 'string' && tenant.length > 0 && tenant.length <= 200

// Under a symbol of its own besides `req.context`, which an application may use for something else.
const contexts = new WeakMap<object, Context>()

/**
 * The context that `requestContext()` gave a request.
 *
 * @throws {HoldfastError} `NOT_REGISTERED` (effect none) when `requestContext()` does not stand before.
 */
export function contextOf(req: object): Context {
  const context = contexts.get(req) ?? (req as { context?: unknown }).context
  if (isContext(context)) return context
  throw new HoldfastError('NOT_REGISTERED', 'contextOf: the request has no context; app.use(requestContext()) has to stand before', {
    effect: 'none',
    retry: 'never',
  })
}
