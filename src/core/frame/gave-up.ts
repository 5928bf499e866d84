import { abortedError } from '../abort-errors.ts'
import type { Ctx } from '../ctx.ts'
import { HoldfastError } from '../errors.ts'

/**
 * What guards are told of a call whose caller gave up before the work ended: how cancelled work ends (with the abort's reason, with an
 * error that wraps it, with half a result) says nothing about what was called. Null for every other call, one that was late included.
 */
export function gaveUp(ctx: Ctx): HoldfastError | null {
  for (let at: Ctx | null = ctx; at?.live; at = at.parent) {
    const more = at.more
    if (more === null || !(more.over || more.source?.aborted === true)) continue
    const reason = more.over ? more.reason : more.source?.reason
    return isLate(reason) ? null : abortedError({ reason }, true)
  }
  return null
}

const isLate = (reason: unknown): boolean => reason instanceof HoldfastError && (reason.code === 'TIMEOUT' || reason.code === 'DEADLINE')
