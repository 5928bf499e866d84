import { Ctx, NOBODY } from '../ctx.ts'
import { refused } from '../effect.ts'
import { type Guard, isPending, isPermit, type Permit, type Refusal } from '../guard.ts'
import { gaveUp } from './gave-up.ts'
import { slowly } from './slowly.ts'
import type { Frame, Next } from './types.ts'

/**
 * A frame none of whose guards races: up to four permits live in the registers of one async function, and no object is made for the call
 * but a context where there is none.
 */
export function plainFrame(frame: Frame, next: Next): Next {
  const { guards, timed, timedLeave, clock, keeps, meta } = frame
  if (guards.length > 4) return (input, ctx) => slowly(frame, next, input, ctx, [], null, timed ? clock.nowMs() : 0)
  const [g0, g1, g2, g3] = guards as [Guard, ...Guard[]]

  const refuse = (no: Refusal, enteredMs: number, quiet: boolean | undefined, a?: Permit, b?: Permit, c?: Permit): unknown => {
    const nowMs = timedLeave ? clock.nowMs() : 0
    if (c !== undefined) part(c, false, no, enteredMs, nowMs, true)
    if (b !== undefined) part(b, false, no, enteredMs, nowMs, true)
    if (a !== undefined) part(a, false, no, enteredMs, nowMs, true)
    return quiet === true ? refused(no) : Promise.reject(no)
  }

  const done = (
    worked: boolean,
    answer: unknown,
    own: Ctx,
    ctx: Ctx | undefined,
    enteredMs: number,
    a: Permit,
    b?: Permit,
    c?: Permit,
    d?: Permit,
  ): void => {
    const nowMs = timedLeave ? clock.nowMs() : 0
    const free = own.more === null || own.more.pending === 0 || !keeps
    const cancelled = own.live ? gaveUp(own) : null
    const ok = worked && cancelled === null
    const result = cancelled ?? answer
    if (d !== undefined) part(d, ok, result, enteredMs, nowMs, free)
    if (c !== undefined) part(c, ok, result, enteredMs, nowMs, free)
    if (b !== undefined) part(b, ok, result, enteredMs, nowMs, free)
    part(a, ok, result, enteredMs, nowMs, free)
    if (!free) own.rare.idle = () => releaseAll(own, [a, b, c, d])
    else if (own !== ctx && own.more !== null) own.end()
  }

  const work = (
    input: unknown,
    ctx: Ctx | undefined,
    enteredMs: number,
    a: Permit,
    b?: Permit,
    c?: Permit,
    d?: Permit,
  ): Promise<unknown> => {
    const own = ctx === undefined ? new Ctx(null, null, 1, meta, false) : keeps ? ctx.child(ctx.attempt) : ctx
    try {
      const answer = next(input, own)
      return (answer instanceof Promise ? answer : Promise.resolve(answer)).then(
        (value) => {
          done(true, value, own, ctx, enteredMs, a, b, c, d)
          return value
        },
        (error) => {
          done(false, error, own, ctx, enteredMs, a, b, c, d)
          throw error
        },
      )
    } catch (error) {
      // The work threw at once, or what it returned only looks like a promise (a proxy of one).
      done(false, error, own, ctx, enteredMs, a, b, c, d)
      return Promise.reject(error)
    }
  }

  return function guarded(input, ctx, quiet) {
    const nowMs = timed ? clock.nowMs() : 0
    const asked = ctx ?? NOBODY
    const a = g0.enter(asked, nowMs)
    if (!isPermit(a)) return isPending(a) ? slowly(frame, next, input, ctx, [], a, nowMs) : refuse(a, nowMs, quiet)
    if (g1 === undefined) return work(input, ctx, nowMs, a)
    const b = g1.enter(asked, nowMs)
    if (!isPermit(b)) return isPending(b) ? slowly(frame, next, input, ctx, [a], b, nowMs) : refuse(b, nowMs, quiet, a)
    if (g2 === undefined) return work(input, ctx, nowMs, a, b)
    const c = g2.enter(asked, nowMs)
    if (!isPermit(c)) return isPending(c) ? slowly(frame, next, input, ctx, [a, b], c, nowMs) : refuse(c, nowMs, quiet, a, b)
    if (g3 === undefined) return work(input, ctx, nowMs, a, b, c)
    const d = g3.enter(asked, nowMs)
    if (!isPermit(d)) return isPending(d) ? slowly(frame, next, input, ctx, [a, b, c], d, nowMs) : refuse(d, nowMs, quiet, a, b, c)
    return work(input, ctx, nowMs, a, b, c, d)
  }
}

function part(permit: Permit, ok: boolean, result: unknown, enteredMs: number, nowMs: number, free: boolean): void {
  permit.leave(ok, result, enteredMs, nowMs)
  if (free && permit.release !== undefined) permit.release()
}

function releaseAll(own: Ctx, permits: readonly (Permit | undefined)[]): void {
  for (const permit of permits.toReversed()) permit?.release?.()
  own.end()
}
