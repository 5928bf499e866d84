import { HoldfastError } from '../core/errors.ts'
import type { Policy } from '../core/handler.ts'
import { checkOptions, invalidOption, show } from '../core/options.ts'
import { policies } from '../core/policy.ts'
import { containsRetry } from '../core/policy-inside.ts'
import { any, durationMs, flag, fn, optional, required, whole } from '../core/rules.ts'
import { isSchema, type Schema } from '../core/schema.ts'
import { type RetryOptions, retryPlan } from '../resilience/retry-options.ts'
import type { Step, StepFunction, StepKind } from './definition.ts'

const MUST_NAME = 'a text of 1 to 200 characters without lone surrogates'

/** Matches a surrogate without its other half: such a text changes when it is stored. */
const LONE_SURROGATE = /\p{Surrogate}/u

export const isName = (value: unknown): value is string =>
  typeof value === 'string' && value.length > 0 && value.length <= 200 && !LONE_SURROGATE.test(value) && value !== '__proto__'

export function checkName(owner: string, option: string, name: unknown): void {
  if (!isName(name)) throw invalidOption(owner, option, MUST_NAME, name)
}

const schemaRule = any<Schema<unknown>>('a Standard Schema (zod, valibot, arktype, …)', isSchema, undefined as never)

export const checkSagaOptions = (owner: string, options: unknown): { readonly version: number; readonly input: Schema<unknown> } =>
  checkOptions(owner, options, { version: required(whole({ min: 1, default: 1 })), input: required(schemaRule) })

const isPolicy = (value: unknown): boolean => typeof value === 'function' && typeof (value as Partial<Policy>).tryRun === 'function'

const stepRules = {
  run: required(fn<StepFunction>(() => undefined)),
  undo: optional(fn<StepFunction>(() => undefined)),
  retry: optional(any<RetryOptions>('an object of retry options', (value) => typeof value === 'object' && value !== null, {})),
  timeoutMs: optional(durationMs({ min: 1, default: 1 })),
  policy: optional(any<Policy>('made by a policy factory', isPolicy, undefined as never)),
  readOnly: flag(false),
}

const PASS: Policy = /* @__PURE__ */ policies()

/** One step, checked by itself and against the steps before it. */
export function checkStep(saga: string, as: 'step' | 'pivot', name: unknown, def: unknown, before: readonly Step[]): Step {
  checkName(`saga ${saga}`, `the name of a ${as}`, name)
  const owner = `saga ${saga}: ${as} ${name as string}`
  refuseReusedName(owner, name as string, before)
  if (def === undefined || def === null) throw invalidOption(owner, 'the second argument', 'an object with run', def)
  const { run, undo, retry, timeoutMs, policy, readOnly } = checkOptions(owner, def, stepRules)
  retryPlan(`${owner}: retry`, retry)
  if (policy !== undefined && repeats(owner, policy)) throw retriesTwice(owner)
  const kind = kindOf(owner, as, before, undo, readOnly)
  return Object.freeze({ name: name as string, kind, run, undo, retry, timeoutMs, guard: policy ?? PASS })
}

function kindOf(owner: string, as: 'step' | 'pivot', before: readonly Step[], undo: unknown, readOnly: boolean): StepKind {
  const pivot = before.find((step) => step.kind === 'pivot')
  if (as === 'pivot') {
    if (pivot !== undefined) throw secondPivot(owner, pivot.name)
    if (readOnly) throw invalidOption(owner, 'readOnly', 'absent: from a pivot there is no way back because it changes something', readOnly)
    if (undo !== undefined) throw invalidOption(owner, 'undo', 'absent: there is no way back from a pivot', undo)
    return 'pivot'
  }
  if (pivot !== undefined) {
    if (undo !== undefined) throw invalidOption(owner, 'undo', `absent: after the pivot ${pivot.name} nothing is undone`, undo)
    return 'after'
  }
  if (readOnly && undo !== undefined) throw invalidOption(owner, 'undo', 'absent where readOnly is true', undo)
  if (!readOnly && undo === undefined) throw invalidOption(owner, 'undo', 'a function, unless the step says readOnly: true', undo)
  return readOnly ? 'read' : 'step'
}

function refuseReusedName(owner: string, name: string, before: readonly Step[]): void {
  if (name !== 'input' && !before.some((step) => step.name === name)) return
  const holder = name === 'input' ? "the saga's input" : 'another step'
  throw new HoldfastError('NAME_REUSED', `${owner}: the name ${show(name)} is taken by ${holder}; names of steps are unique`, {
    effect: 'none',
    retry: 'never',
    details: { name },
  })
}

function repeats(owner: string, policy: Policy): boolean {
  try {
    return containsRetry(policy)
  } catch {
    throw invalidOption(owner, 'policy', stepRules.policy.must, policy)
  }
}

const secondPivot = (owner: string, first: string): HoldfastError =>
  new HoldfastError('INVALID_OPTIONS', `${owner}: a saga has one pivot, and ${first} is it`, {
    effect: 'none',
    retry: 'never',
    details: { owner, first },
  })

const retriesTwice = (owner: string): HoldfastError =>
  new HoldfastError('RETRIES_TWICE', `${owner}: policy must not contain a retry, because the step retries itself; use its retry option`, {
    effect: 'none',
    retry: 'never',
  })
