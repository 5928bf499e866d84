import type { Policy } from '../../core/handler.ts'
import { invalidOption } from '../../core/options.ts'
import { partsOf } from '../../core/policy-inside.ts'
import { checkOut } from './check-out.ts'
import { queried } from './queried.ts'
import type { Callback, CalledPool, PgPoolSlice } from './slice.ts'

type Fn = (this: unknown, ...args: unknown[]) => unknown

/**
 * A view of a pool of `pg`, of the pool's own type, whose `connect` and `query` run under a policy; everything else is the pool's own.
 *
 * - `connect()` holds its permit (a bulkhead's slot) from the check-out until `release()`; the policy's time limit is that of the
 *   check-out, not of what is done with the client. Each refusal and time-out of a check-out has effect none, the pool's own
 *   `connectionTimeoutMillis` included (`TIMEOUT`, its error as the cause; policies see the pool's own error, so that a breaker counts a
 *   server that does not answer). A client that comes too late is released at once.
 * - `query()` runs under the policy as one call. Errors are `pg`'s own: a breaker counts them as its `classify` says, and a retry sends
 *   again what its `retryIf` allows, statements that change something included; leave retry out where that is wrong.
 * - Callbacks work as with `pg`, and what `connect` hands them as `done` is the client's `release`.
 * - A client that was checked out still wants an `error` listener, as with `pg`: it tells there that its connection was lost.
 * - The pool itself is neither changed nor ended: who holds it has the unguarded one. What runs on a client that was checked out is not
 *   guarded.
 * - Wait for a slot in the bulkhead, not in the pool: `concurrent` at most the pool's `max`, or refusals come from `pg`.
 *
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none) for what is no pool or no policy. A call rejects with what the policy refuses
 * with, or with `pg`'s own error.
 * @example
 * ```ts
 * const pool = guardPool(new Pool({ max: 20 }), policies(bulkhead({ concurrent: 20, queued: 100 }), circuitBreaker({ name: 'orders-db' })))
 * const { rows } = await pool.query('select 1')
 * ```
 */
export function guardPool<P extends PgPoolSlice>(pool: P, policy: Policy): P {
  partsOf('guardPool', policy)
  if (typeof pool !== 'object' || pool === null || typeof pool.connect !== 'function' || typeof pool.query !== 'function')
    throw invalidOption('guardPool', 'the pool', 'an object with connect and query', pool)
  const called = pool as unknown as CalledPool
  const own: Readonly<Record<PropertyKey, Fn>> = {
    connect(callback) {
      const client = checkOut(called, policy)
      return typeof callback === 'function' ? tell(callback as Callback, client, (c) => [c, c.release]) : client
    },
    query(...args) {
      const callback = args.findIndex((arg, i) => i > 0 && typeof arg === 'function')
      const sent = callback < 0 ? args : args.slice(0, callback)
      const answer = queried(called, policy, sent)
      return callback < 0 ? answer : tell(args[callback] as Callback, answer, (result) => [result])
    },
  }
  return view(pool, own)
}

/** Answers in a turn of its own, so that what a callback throws is thrown as with `pg`, and rejects nothing. */
function tell<T>(callback: Callback, answer: Promise<T>, args: (value: T) => unknown[]): void {
  answer.then(
    (value) => setImmediate(() => callback(undefined, ...args(value))),
    (error) => setImmediate(() => callback(error, undefined, () => {})),
  )
}

function view<P extends PgPoolSlice>(pool: P, own: Readonly<Record<PropertyKey, Fn>>): P {
  const bound = new WeakMap<object, Fn>()
  const proxy: P = new Proxy(pool, {
    get(_, name) {
      if (Object.hasOwn(own, name)) return own[name]
      const value: unknown = Reflect.get(pool, name, pool)
      return typeof value === 'function' && name !== 'constructor' && name !== 'Client' && name !== 'Promise'
        ? boundOnce(value as Fn)
        : value
    },
    set: (_, name, value) => Reflect.set(pool, name, value, pool),
  })
  function boundOnce(method: Fn): Fn {
    let fn = bound.get(method)
    if (fn === undefined) {
      fn = (...args) => {
        const answer = method.apply(pool, args)
        // `on` answers with the pool itself, for the next call in the chain.
        return answer === pool ? proxy : answer
      }
      bound.set(method, fn)
    }
    return fn
  }
  return proxy
}
