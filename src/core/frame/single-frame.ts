import { Ctx, NOBODY } from '../ctx.ts'
import { refused } from '../effect.ts'
import { type Guard, isPending, isPermit, type Permit } from '../guard.ts'
import { gaveUp } from './gave-up.ts'
import { slowly } from './slowly.ts'
import type { Frame, Next } from './types.ts'

/** The frame of one guard alone that does not race: most policies are used by themselves. */
export function singleFrame(frame: Frame, next: Next): Next {
  const { timed, timedLeave, clock, keeps, meta } = frame
  const only = frame.guards[0] as Guard

  const done = (permit: Permit, ok: boolean, result: unknown, own: Ctx, ctx: Ctx | undefined, enteredMs: number): void => {
    const cancelled = own.live ? gaveUp(own) : null
    permit.leave(ok && cancelled === null, cancelled ?? result, enteredMs, timedLeave ? clock.nowMs() : 0)
    if (own.more === null) {
      permit.release?.()
      return
    }
    const end = (): void => {
      permit.release?.()
      if (own !== ctx) own.end()
    }
    if (keeps) own.whenIdle(end)
    else end()
  }

  return function guarded(input, ctx, quiet) {
    const nowMs = timed ? clock.nowMs() : 0
    const permit = only.enter(ctx ?? NOBODY, nowMs)
    if (!isPermit(permit)) {
      if (isPending(permit)) return slowly(frame, next, input, ctx, [], permit, nowMs)
      return quiet === true ? refused(permit) : Promise.reject(permit)
    }
    const own = ctx === undefined ? new Ctx(null, null, 1, meta, false) : keeps ? ctx.child(ctx.attempt) : ctx
    try {
      const answer = next(input, own)
      const promise = answer instanceof Promise ? answer : Promise.resolve(answer)
      const { bound } = permit
      if (bound !== undefined && !own.live) return promise.then(bound.ok, bound.bad)
      return promise.then(
        (value) => {
          done(permit, true, value, own, ctx, nowMs)
          return value
        },
        (error) => {
          done(permit, false, error, own, ctx, nowMs)
          throw error
        },
      )
    } catch (error) {
      // The work threw at once, or what it returned only looks like a promise (a proxy of one).
      done(permit, false, error, own, ctx, nowMs)
      return Promise.reject(error)
    }
  }
}
