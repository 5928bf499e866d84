import { Agent, type Dispatcher } from 'undici'
import { onTestFinished } from 'vitest'
import type { Policy } from '../../../src/index.ts'
import { type ResilientInterceptorOptions, resilientInterceptor } from '../../../src/integrations/undici/index.ts'

/** An agent under a policy, destroyed after the test. */
export function guarded(policy: Policy, options?: ResilientInterceptorOptions): Dispatcher {
  const agent = new Agent()
  onTestFinished(() => agent.destroy())
  return agent.compose(resilientInterceptor(policy, options))
}
