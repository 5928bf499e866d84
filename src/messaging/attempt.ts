import { runAmbient } from '../core/ambient.ts'
import type { Clock } from '../core/clock.ts'
import type { Context } from '../core/context.ts'
import type { Ctx } from '../core/ctx.ts'
import { HoldfastError } from '../core/errors.ts'
import { parse } from '../core/schema.ts'
import type { DeadReason, Delivery, Tries } from '../ports/transport.ts'
import { contextOf, unseal } from './envelope.ts'
import { decide, described, type FailurePlan } from './failure.ts'
import type { Subscription } from './subscription.ts'

/** What one attempt to handle a message came to. */
export type Verdict =
  | { readonly as: 'ack'; readonly durationMs: number }
  | { readonly as: 'dead'; readonly reason: DeadReason }
  | { readonly as: 'again'; readonly delayMs: number; readonly tries: Tries; readonly error: unknown }

export interface AttemptHost {
  readonly definition: Subscription
  readonly plan: FailurePlan
  readonly clock: Clock
  /** What the handler's context is made from. */
  readonly context: Context
}

/** Hands a message to its handler, once. Never rejects. */
export async function attempt(host: AttemptHost, { message, tries }: Delivery): Promise<Verdict> {
  const { definition, clock } = host
  const startedMs = clock.nowMs()
  const startedEpochMs = clock.epochMs()
  const { expiresEpochMs = Number.POSITIVE_INFINITY } = message
  if (startedEpochMs >= expiresEpochMs) return expired(tries)
  const delivery: Delivery = { message, tries: { firstEpochMs: startedEpochMs, ...tries } }
  let ctx: Ctx | undefined
  try {
    const data = await parse(`${message.name} ${message.id}`, definition.event.schema, fromJson(message.data))
    const made = host.context.with(contextOf(delivery, definition.group, startedEpochMs)) as Ctx
    ctx = made
    await runAmbient(made, () => definition.handle(unseal(delivery, data), made))
    return { as: 'ack', durationMs: clock.nowMs() - startedMs }
  } catch (error) {
    if (ctx === undefined && isInvalid(error)) return { as: 'dead', reason: invalid(error, tries.attempt - 1) }
    const decision = decide(host.plan, { error, tries: delivery.tries, epochMs: clock.epochMs(), expiresEpochMs })
    return decision.as === 'dead' ? decision : { ...decision, error }
  } finally {
    const over = ctx
    over?.whenIdle(() => over.end())
  }
}

const expired = (tries: Tries): Verdict => ({
  as: 'dead',
  reason: { code: 'expired', message: 'its deadline had passed before it could be handled', attempts: tries.attempt - 1 },
})

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new HoldfastError('INVALID_INPUT', `the data is not JSON: ${(error as Error).message}`, { effect: 'none', cause: error })
  }
}

/** The schema has said no. A schema that broke down has not: that is tried again like any failure. */
const isInvalid = (error: unknown): error is HoldfastError => error instanceof HoldfastError && error.code === 'INVALID_INPUT'

function invalid(error: HoldfastError, attempts: number): DeadReason {
  const issues = (error.details as { issues?: DeadReason['issues'] } | undefined)?.issues
  return { code: 'invalid', message: error.message, attempts, error: described(error), ...(issues && { issues }) }
}
