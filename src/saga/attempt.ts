import type { Context } from '../core/context.ts'
import { HoldfastError } from '../core/errors.ts'
import { toJson } from '../core/json.ts'
import type { Outcome } from '../core/outcome.ts'
import type { Step, StepFunction } from './definition.ts'
import { stepKey } from './hash.ts'
import type { Open, Progress } from './progress.ts'

export interface AttemptSite {
  readonly saga: string
  readonly id: string
  readonly step: Step
  readonly open: Open
  readonly progress: Progress
  /** Ends with the lease; carries the saga's identity. */
  readonly context: Context
}

/**
 * Calls `run` or `undo` once, under the step's policy and within its `timeoutMs`. Never rejects. Answers at the deadline even if the work goes on;
 * what the work brings later is dropped. A result is answered as it will be read back.
 */
export async function attempt(site: AttemptSite): Promise<Outcome<unknown>> {
  const { saga, id, step, open, progress } = site
  const key = stepKey(saga, id, step.name)
  const number = open.attempts + open.interruptions + 1
  const undoes = { idempotencyKey: key, outcome: progress.ended.get(step.name)?.effect === 'ok' ? 'ok' : 'unknown' }
  const context =
    open.direction === 'run'
      ? site.context.with({ attempt: number, idempotencyKey: key })
      : site.context.with({ attempt: number, idempotencyKey: `${key}/undo`, undoes })
  const work = (open.direction === 'run' ? step.run : step.undo) as StepFunction
  const outcome = await step.guard.tryRun((ctx) => work(progress.values, ctx as never), {
    context,
    ...(step.timeoutMs === undefined ? {} : { timeoutMs: step.timeoutMs }),
  })
  return outcome.ok && open.direction === 'run' ? asStored(saga, step, outcome.value) : outcome
}

function asStored(saga: string, step: Step, value: unknown): Outcome<unknown> {
  if (value === undefined) return { ok: true, value }
  try {
    return { ok: true, value: JSON.parse(toJson(`saga ${saga}: ${step.name}`, value)) }
  } catch (error) {
    return { ok: false, error: notStorable(error), effect: 'unknown' }
  }
}

/** The step did succeed: a refusal with effect none would say that there is nothing to undo. */
const notStorable = (error: unknown): HoldfastError =>
  new HoldfastError('NOT_JSON', error instanceof Error ? error.message : String(error), { effect: 'unknown', retry: 'never', cause: error })
