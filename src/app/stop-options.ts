import { checkOptions } from '../core/options.ts'
import { any, durationMs } from '../core/rules.ts'
import type { ClosableServer } from './servers.ts'

export interface StopOptions {
  /** How long what is in flight may take, in milliseconds; what is left is released or cut. At least 0, default 10,000. */
  readonly drainMs?: number
  /** How long to go on serving after `ready` has become false, so that load balancers notice; at least 0, default 0. */
  readonly leaveMs?: number
  /** Closed first: `app.listen(3000)`. Default none. */
  readonly servers?: readonly ClosableServer[]
}

const isServer = (value: unknown): boolean =>
  (typeof value === 'object' || typeof value === 'function') && value !== null && typeof (value as ClosableServer).close === 'function'

const rules = {
  drainMs: durationMs({ default: 10_000 }),
  leaveMs: durationMs({ default: 0 }),
  servers: any<readonly ClosableServer[]>('a list of servers with close()', (value) => Array.isArray(value) && value.every(isServer), []),
}

export const checkStop = (owner: string, options: StopOptions | undefined): Required<StopOptions> => checkOptions(owner, options, rules)
