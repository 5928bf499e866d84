import type { Clock } from '../core/clock.ts'
import { HoldfastError } from '../core/errors.ts'
import { checkOptions, show } from '../core/options.ts'
import { any, clock, durationMs, optional, random, required, text, whole } from '../core/rules.ts'
import { type Logger, silentLogger } from '../ports/logger.ts'
import type { SagaJournal } from '../ports/saga-journal.ts'
import { type RetryOptions, retryPlan } from '../resilience/retry-options.ts'
import { partsOfSaga, type SagaDefinition, type SagaParts } from './definition.ts'
import { type SagaPlan, sagaPlan } from './plan.ts'

export interface SagaEngineOptions {
  /** Where sagas are kept: `storage.sagaJournal` of any storage. Opened at start; closing it stays with whoever made it. */
  readonly journal: SagaJournal
  /** Every saga that this process can run, so that `start()` can finish what a crash left behind. Names are unique. */
  readonly definitions: readonly SagaDefinition<unknown, unknown>[]
  /** Part of the name under which this process holds its leases; default `holdfast`. */
  readonly service?: string
  readonly clock?: Clock
  /** Where the spread of delays comes from; from 0 (inclusive) to 1 (exclusive). */
  readonly random?: () => number
  readonly logger?: Logger
  /** Over how many leases sagas are spread, 1 to 4,096, default 1. The same in every process; may be raised, never lowered. */
  readonly shards?: number
  /** After this long without renewal another process takes over, at least 100 ms, default 10,000 ms. Renewed at a third of it. */
  readonly leaseMs?: number
  /** How many sagas this process runs at once, waits between attempts included; default 1,000. */
  readonly concurrent?: number
  /** How many more wait in memory for their turn; default 10,000. Any further ones wait in the journal. */
  readonly queued?: number
  /** How often the journal is searched for sagas that nobody works on; at least 10 ms, default 1,000 ms. */
  readonly scanMs?: number
  /** How long a step may be turned away by its own policy before that counts as its failure; default 600,000 ms. Counted in this process. */
  readonly refusedMaxMs?: number
  /** How often an attempt may be cut off by crashes, lost leases and shutdowns before its step counts as failed; default 10. */
  readonly interruptionsMax?: number
  /** How an undo that fails is tried again before the saga is parked; default 20 attempts, 100 ms doubling to 30,000 ms. */
  readonly undoRetry?: RetryOptions
}

/** The options, checked and completed. */
export interface EngineSettings {
  readonly journal: SagaJournal
  readonly service: string
  readonly clock: Clock
  readonly logger: Logger
  readonly shards: number
  readonly leaseMs: number
  readonly concurrent: number
  readonly queued: number
  readonly scanMs: number
  readonly refusedMaxMs: number
  readonly interruptionsMax: number
}

const METHODS = ['open', 'append', 'claim', 'release', 'head', 'read', 'list'] as const

const has = (value: unknown, methods: readonly string[]): boolean =>
  typeof value === 'object' && value !== null && methods.every((name) => typeof (value as Record<string, unknown>)[name] === 'function')

const rules = {
  journal: required(any<SagaJournal>('a saga journal (storage.sagaJournal)', (value) => has(value, METHODS), undefined as never)),
  definitions: required(any<readonly unknown[]>('a list of saga definitions', Array.isArray, [])),
  service: text('holdfast'),
  clock,
  random,
  logger: any<Logger>('a logger with debug, info, warn and error', (value) => has(value, ['debug', 'info', 'warn', 'error']), silentLogger),
  shards: whole({ min: 1, max: 4_096, default: 1 }),
  leaseMs: durationMs({ min: 100, default: 10_000 }),
  concurrent: whole({ min: 1, default: 1_000 }),
  queued: whole({ min: 1, default: 10_000 }),
  scanMs: durationMs({ min: 10, default: 1_000 }),
  refusedMaxMs: durationMs({ default: 600_000 }),
  interruptionsMax: whole({ default: 10 }),
  undoRetry: optional(any<RetryOptions>('an object of retry options', (value) => typeof value === 'object' && value !== null, {})),
}

/** @throws {HoldfastError} `INVALID_OPTIONS`, `NAME_REUSED` (effect none). */
export function checkEngineOptions(options: unknown): { readonly settings: EngineSettings; readonly plans: ReadonlyMap<string, SagaPlan> } {
  const { definitions, random, undoRetry, ...settings } = checkOptions('sagaEngine', options, rules)
  checkDefinitions('sagaEngine: definitions', definitions)
  retryPlan('sagaEngine: undoRetry', undoRetry)
  const plans = new Map<string, SagaPlan>()
  for (const definition of definitions) {
    const plan = sagaPlan(definition, partsOfSaga(definition) as SagaParts, { random, undoRetry })
    plans.set(plan.name, plan)
  }
  return { settings, plans }
}

/**
 * Refuses what `saga()` did not make, and two of one name; `owner` is what the user wrote them into.
 *
 * @throws {HoldfastError} `INVALID_OPTIONS`, `NAME_REUSED` (effect none).
 */
export function checkDefinitions(
  owner: string,
  definitions: readonly unknown[],
): asserts definitions is readonly SagaDefinition<unknown, unknown>[] {
  const names = new Set<string>()
  for (const definition of definitions) {
    if (partsOfSaga(definition) === undefined) throw noDefinition(owner, definition)
    const { name } = definition as SagaDefinition<unknown, unknown>
    if (names.has(name)) throw namedTwice(owner, name)
    names.add(name)
  }
}

function noDefinition(owner: string, given: unknown): HoldfastError {
  const hint = typeof given === 'function' ? '; call it with its dependencies first' : ''
  return new HoldfastError('INVALID_OPTIONS', `${owner}: each must be made by saga(…).returns(…), got ${show(given)}${hint}`, {
    effect: 'none',
    retry: 'never',
    details: { owner, given },
  })
}

const namedTwice = (owner: string, name: string): HoldfastError =>
  new HoldfastError('NAME_REUSED', `${owner}: two sagas are named ${name}; their names are unique`, {
    effect: 'none',
    retry: 'never',
    details: { name },
  })
