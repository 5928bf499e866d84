import { abortedError } from '../abort-errors.ts'
import { Ctx, NOBODY } from '../ctx.ts'
import { refused } from '../effect.ts'
import { type Guard, isPending, isPermit, type Permit, type Refusal } from '../guard.ts'
import { gaveUp } from './gave-up.ts'
import type { Next } from './types.ts'
import type { Way } from './way.ts'

/** The frame of one guard alone that does not race: most policies are used by themselves. */
export const singleFrame = (way: Way, only: Guard, next: Next): Next =>
  function guarded(input, ctx, quiet) {
    return throughOne(way, only, next, input, ctx, quiet)
  }

/** The same without a frame: a policy that is used by itself has nothing to compose, and keeps nothing. */
export function throughOne(way: Way, only: Guard, next: Next, input: unknown, ctx: Ctx | undefined, quiet: boolean | undefined): unknown {
  const nowMs = way.timed ? way.clock.nowMs() : 0
  const permit = only.enter(ctx ?? NOBODY, nowMs)
  if (isPermit(permit)) return work(way, permit, next, input, ctx, nowMs)
  if (isPending(permit)) return permit.then((entry) => served(way, entry, next, input, ctx))
  return quiet === true ? refused(permit) : Promise.reject(permit)
}

/** Its turn has come, or never will. A call that waits keeps this one closure and no context of its own: there may be 100,000 of them. */
function served(way: Way, entry: Permit | Refusal, next: Next, input: unknown, ctx: Ctx | undefined): unknown {
  if (!isPermit(entry)) throw entry
  const nowMs = way.timed || way.timedLeave ? way.clock.nowMs() : 0
  if (ctx?.aborted !== true) return work(way, entry, next, input, ctx, nowMs)
  // Admitted and aborted in the same turn: the permit goes straight back.
  const error = abortedError(ctx, false)
  entry.leave(false, error, nowMs, nowMs)
  entry.release?.()
  throw error
}

/** The work of a call that began without a context: nobody can abort it, so nobody is asked whether he did. */
function workAlone(way: Way, permit: Permit, next: Next, input: unknown, enteredMs: number): Promise<unknown> {
  const own = new Ctx(null, null, 1, way.meta, false)
  try {
    const answer = next(input, own)
    const promise = answer instanceof Promise ? answer : Promise.resolve(answer)
    const { bound } = permit
    if (bound !== undefined) return promise.then(bound.ok, bound.bad)
    return promise.then(
      (value) => {
        leave(way, permit, true, value, own, enteredMs)
        return value
      },
      (error) => {
        leave(way, permit, false, error, own, enteredMs)
        throw error
      },
    )
  } catch (error) {
    leave(way, permit, false, error, own, enteredMs)
    return Promise.reject(error)
  }
}

function leave(way: Way, permit: Permit, ok: boolean, result: unknown, own: Ctx, enteredMs: number): void {
  permit.leave(ok, result, enteredMs, way.timedLeave ? way.clock.nowMs() : 0)
  if (own.more === null) permit.release?.()
  else ended(way, permit, own, true)
}

function work(way: Way, permit: Permit, next: Next, input: unknown, ctx: Ctx | undefined, nowMs: number): Promise<unknown> {
  if (ctx === undefined) return workAlone(way, permit, next, input, nowMs)
  const own = way.keeps ? ctx.child(ctx.attempt) : ctx
  try {
    const answer = next(input, own)
    const promise = answer instanceof Promise ? answer : Promise.resolve(answer)
    const { bound } = permit
    if (bound !== undefined && !own.live) return promise.then(bound.ok, bound.bad)
    return promise.then(
      (value) => {
        done(way, permit, true, value, own, ctx, nowMs)
        return value
      },
      (error) => {
        done(way, permit, false, error, own, ctx, nowMs)
        throw error
      },
    )
  } catch (error) {
    // The work threw at once, or what it returned only looks like a promise (a proxy of one).
    done(way, permit, false, error, own, ctx, nowMs)
    return Promise.reject(error)
  }
}

function done(way: Way, permit: Permit, ok: boolean, result: unknown, own: Ctx, ctx: Ctx | undefined, enteredMs: number): void {
  const cancelled = own.live ? gaveUp(own) : null
  permit.leave(ok && cancelled === null, cancelled ?? result, enteredMs, way.timedLeave ? way.clock.nowMs() : 0)
  if (own.more === null) permit.release?.()
  else ended(way, permit, own, own !== ctx)
}

/** The work has ended; perhaps something is held yet. `ours`: the context was made for this call. */
function ended(way: Way, permit: Permit, own: Ctx, ours: boolean): void {
  const end = (): void => {
    permit.release?.()
    if (ours) own.end()
  }
  if (way.keeps) own.whenIdle(end)
  else end()
}
