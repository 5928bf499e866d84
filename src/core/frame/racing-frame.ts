import { abortedError } from '../abort-errors.ts'
import { type Ctx, NOBODY } from '../ctx.ts'
import { refused } from '../effect.ts'
import { type Guard, isPending, isPermit, type Permit, type Refusal } from '../guard.ts'
import { Call, take } from './call.ts'
import type { Frame, Next } from './types.ts'

/** A frame one of whose guards may answer in the work's place. */
export function racingFrame(frame: Frame, next: Next): Next {
  const first = frame.racerAt === 0 ? null : (frame.guards[0] as Guard)
  const { rescue, timed, clock } = frame

  const guarded: Next = function guarded(input, ctx, quiet) {
    const nowMs = timed ? clock.nowMs() : 0
    // The outermost guard is asked before anything is made for the call: a refusal is the hot path of a bad day.
    const entry = first === null ? null : first.enter(ctx ?? NOBODY, nowMs)
    if (entry !== null && !isPermit(entry) && !isPending(entry) && rescue === null)
      return quiet === true ? refused(entry) : Promise.reject(entry)
    const promise = new Promise(take)
    const call = new Call(frame, ctx, input, nowMs)
    if (ctx?.live === true) {
      if (ctx.aborted) {
        turnAway(call, ctx, entry, nowMs)
        return promise
      }
      call.joinUp()
    }
    proceed(call, enterFrom(call, entry, nowMs), next)
    return promise
  }
  guarded.answersAborts = true
  return guarded
}

function enterFrom(
  call: Call,
  first: ReturnType<Guard['enter']> | null,
  nowMs: number,
): Refusal | undefined | Promise<Refusal | undefined> {
  if (first === null) return call.enterFrom(0, nowMs)
  if (isPending(first)) return call.waitAt(0, first)
  if (!isPermit(first)) return first
  call.admit(first, nowMs)
  return call.enterFrom(1, nowMs)
}

/** The caller had given up before we began. */
function turnAway(call: Call, ctx: Ctx, entry: ReturnType<Guard['enter']> | null, nowMs: number): void {
  const error = abortedError(ctx, false)
  const giveBack = (late: Permit | Refusal): void => {
    if (!isPermit(late)) return
    late.leave(false, error, nowMs, nowMs)
    late.release?.()
  }
  if (entry !== null && isPending(entry)) void entry.then(giveBack)
  else if (entry !== null) giveBack(entry)
  call.settle(false, error)
}

function proceed(call: Call, entered: Refusal | undefined | Promise<Refusal | undefined>, next: Next): void {
  // Answered while it joined its caller (a deadline passed) or while guards were asked: what was reported as not begun does not begin.
  if (entered === undefined) call.answered ? call.settle(false, abortedError(call, false)) : start(call, next)
  else if (isPendingEntry(entered)) void entered.then((refusal) => proceed(call, refusal, next))
  else call.settle(false, entered)
}

const isPendingEntry = (entered: Refusal | Promise<Refusal | undefined>): entered is Promise<Refusal | undefined> =>
  entered instanceof Promise

function start(call: Call, next: Next): void {
  let answer: unknown
  try {
    answer = next(call.input, call)
    if (answer instanceof Promise || isThenable(answer)) {
      watch(call, answer instanceof Promise ? answer : Promise.resolve(answer))
      return
    }
  } catch (error) {
    call.settle(false, error)
    return
  }
  call.settle(true, answer)
}

function watch(call: Call, answer: Promise<unknown>): void {
  answer.then(
    (value) => call.settle(true, value),
    (error) => call.settle(false, error),
  )
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  ((typeof value === 'object' && value !== null) || typeof value === 'function') &&
  typeof (value as PromiseLike<unknown>).then === 'function'
