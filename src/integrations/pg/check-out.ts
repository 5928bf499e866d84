import type { Context } from '../../core/context.ts'
import { HoldfastError } from '../../core/errors.ts'
import type { Policy } from '../../core/handler.ts'
import type { CalledPool, PgClientSlice } from './slice.ts'

/** Checks a client out, with the permits of the policy held until it is released. */
export async function checkOut(pool: CalledPool, policy: Policy): Promise<PgClientSlice> {
  const mine = new Set<PgClientSlice>()
  let given: PgClientSlice | undefined
  try {
    given = await policy.run(async (ctx) => {
      const client = await pool.connect()
      if (ctx.aborted) {
        client.release()
        throw ctx.signal.reason
      }
      mine.add(client)
      heldUntilReleased(client, ctx, () => mine.delete(client))
      return client
    })
    return given
  } catch (error) {
    throw nothingSent(error)
  } finally {
    // A hedge's second client, or one whose answer came in the same turn as an abort.
    for (const client of mine) if (client !== given) client.release()
  }
}

/** The pool gives each client it hands out a `release` of its own for that one time; so the next check-out knows nothing of this one. */
function heldUntilReleased(client: PgClientSlice, ctx: Context, then: () => void): void {
  const { release } = client
  let freed = (): void => {}
  ctx.hold(
    new Promise<void>((resolve) => {
      freed = resolve
    }),
  )
  client.release = (error) => {
    then()
    freed()
    release.call(client, error)
  }
}

/** pg-pool's own words for "no client came in time" and "no new connection came in time", which have no code. */
const CHECK_OUT_TIMED_OUT = new Set(['timeout exceeded when trying to connect', 'Connection terminated due to connection timeout'])

/** Whether the pool itself gave up before it had a client to send anything on. */
export const isCheckOutTimeout = (error: unknown): error is Error => error instanceof Error && CHECK_OUT_TIMED_OUT.has(error.message)

/**
 * The pool's time-out, told to the caller as an error that says that nothing was sent. Only outside the policy: inside, a breaker would take
 * it for a refusal and never count a server that does not answer.
 */
export const noClientInTime = (error: Error): HoldfastError =>
  new HoldfastError('TIMEOUT', error.message, { effect: 'none', retry: 'later', cause: error })

/** Whatever ended a check-out, no statement was sent. */
function nothingSent(error: unknown): unknown {
  if (isCheckOutTimeout(error)) return noClientInTime(error)
  if (!(error instanceof HoldfastError) || error.effect === 'none') return error
  const { code, message, retry, retryAfterMs, details } = error
  return new HoldfastError(code, message, {
    effect: 'none',
    retry,
    cause: error,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(details !== undefined && { details }),
  })
}
