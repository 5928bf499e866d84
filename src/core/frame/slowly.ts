import type { Ctx } from '../ctx.ts'
import type { Permit, Refusal } from '../guard.ts'
import { Call, takeNothing } from './call.ts'
import type { Frame, Next } from './types.ts'

/** The unhurried way through a frame that does not race: somebody has to wait, or there are many guards. */
export async function slowly(
  frame: Frame,
  next: Next,
  input: unknown,
  ctx: Ctx | undefined,
  admitted: readonly Permit[],
  pending: Promise<Permit | Refusal> | null,
  nowMs: number,
): Promise<unknown> {
  takeNothing()
  const call = new Call(frame, ctx, input, nowMs)
  for (const permit of admitted) call.admit(permit, nowMs)
  const refusal = await (pending === null ? call.enterFrom(0, nowMs) : call.waitAt(admitted.length, pending))
  if (refusal !== undefined) {
    call.finish(false, refusal)
    throw refusal
  }
  let value: unknown
  try {
    value = await next(input, call)
  } catch (error) {
    call.finish(false, error)
    throw error
  }
  call.finish(true, value)
  return value
}
