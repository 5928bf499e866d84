import type { Policy } from '../../core/handler.ts'
import { isCheckOutTimeout, noClientInTime } from './check-out.ts'
import type { CalledPool } from './slice.ts'

/** One query of the pool under the policy. Where the pool had no client in time for any attempt, the caller is told that nothing was sent. */
export async function queried(pool: CalledPool, policy: Policy, args: readonly unknown[]): Promise<unknown> {
  /** Attempts that have, or may yet have, reached the server. */
  let perhapsSent = 0
  try {
    return await policy.run(async () => {
      perhapsSent += 1
      try {
        return await pool.query(...args)
      } catch (error) {
        if (isCheckOutTimeout(error)) perhapsSent -= 1
        throw error
      }
    })
  } catch (error) {
    throw perhapsSent === 0 && isCheckOutTimeout(error) ? noClientInTime(error) : error
  }
}
