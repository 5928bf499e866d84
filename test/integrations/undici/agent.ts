import type { Dispatcher } from 'undici'
import { onTestFinished } from 'vitest'
import type { Policy } from '../../../src/index.ts'
import { type ResilientInterceptorOptions, resilientInterceptor } from '../../../src/integrations/undici/index.ts'

/** undici of either version: what the tests use of it is the same. */
export type Undici = Pick<typeof import('undici'), 'Agent' | 'FormData' | 'fetch' | 'request'>

/** Makes agents under a policy, destroyed after the test. */
export const guardedBy =
  ({ Agent }: Undici) =>
  (policy: Policy, options?: ResilientInterceptorOptions): Dispatcher => {
    const agent = new Agent()
    onTestFinished(() => agent.destroy())
    return agent.compose(resilientInterceptor(policy, options))
  }
