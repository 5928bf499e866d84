import type { Context } from '../core/context.ts'
import type { Emitter, Events } from '../core/events.ts'
import { checkOptions, invalidOption } from '../core/options.ts'
import { any, optional, required, text } from '../core/rules.ts'
import type { SagaFilter, SagaHead } from '../ports/saga-journal.ts'
import { prepareBirth } from './birth.ts'
import { isName } from './check-definition.ts'
import { partsOfSaga, type SagaDefinition } from './definition.ts'
import { badId, noDefinition, notRegistered } from './errors.ts'
import { Handle, isReason, type SagaHandle } from './handle.ts'
import type { Live } from './live.ts'
import type { SagaPlan } from './plan.ts'
import type { SagaEvents } from './saga-events.ts'
import { untilAborted } from './until.ts'

export interface SagaStartOptions {
  /** What makes starting idempotent: 1 to 200 characters, unique among all sagas of the journal, forever. */
  readonly id: string
  /** Whose tenant, keys, trace and correlation every step is called with; its deadline and signal bound the wait for `start`, not the saga. */
  readonly context?: Context
  /** The key of the request that started it, kept in the `started` record; 1 to 200 characters. */
  readonly idempotencyKey?: string
}

/** Starts sagas and finds them again. Also says what they do: `on('stuck', …)`; each event after it is durable. */
export interface Sagas extends Events<SagaEvents> {
  /**
   * Starts a saga; resolves once it is durable, so that it will end whatever happens to this process.
   *
   * The same id with the same input is the same saga, running or ended: it never runs again. Ids are kept as long as the journal is.
   *
   * @throws {HoldfastError} with effect none: `INVALID_INPUT` (the input or the id), `NOT_JSON`, `NOT_REGISTERED`, `NOT_STARTED`, `SAGA_ID_REUSED` (another
   * input, or another saga), `INVALID_OPTIONS`, `BULKHEAD_FULL` (retry later: 10,000
   * are waiting to be written). `ABORTED`, `DEADLINE`, `STORAGE_UNAVAILABLE` (effect unknown)
   * when the context ended, or the engine stopped, before the journal answered: start again with the same id.
   */
  start<I, O>(definition: SagaDefinition<I, O>, input: I, options: SagaStartOptions): Promise<SagaHandle<O>>
  /** A handle for an id, without asking whether it exists. @throws {HoldfastError} `NOT_REGISTERED`, `INVALID_OPTIONS` (effect none). */
  get<I, O>(definition: SagaDefinition<I, O>, id: string): SagaHandle<O>
  /** Sagas as the journal has them, by id, a page at a time: `states: ['stuck']` is what waits for an operator. */
  list(filter?: SagaFilter): Promise<readonly SagaHead[]>
  /**
   * Has a stuck saga go on where it was parked, with the same idempotency key and a fresh count of attempts.
   *
   * @throws {HoldfastError} `DECLINED` (effect none) when it is not stuck, or its definition is another · `STORAGE_LOCKED` (retry later) when
   * another process owns it · `SAGA_NOT_FOUND`.
   */
  retry(id: string, options?: { readonly reason?: string }): Promise<void>
  /**
   * Has a saga that is stuck at an undo, or at a step after its pivot, go on as if that had succeeded; such a step has no result. Kept in
   * the timeline with the reason.
   *
   * @throws {HoldfastError} as `retry`, and `DECLINED` for a pivot.
   */
  skip(id: string, reason: string): Promise<void>
}

const MUST_ID = 'a text of 1 to 200 characters without lone surrogates'
const isContext = (value: unknown): boolean => typeof value === 'object' && value !== null && 'keys' in value && 'signal' in value

const startRules = {
  id: any<unknown>(MUST_ID, () => true, undefined),
  context: optional(any<Context>('a context', isContext, undefined as never)),
  idempotencyKey: optional(text('')),
}
/** An id mostly comes with a request, so an unfit one is the caller's mistake, not the program's. */
function idOf(owner: string, given: unknown): string {
  if (!isName(given)) throw badId(owner, MUST_ID, given)
  return given
}

const reasonRule = any<string>('a text of 1 to 2,000 characters', isReason, '')

/** The verbs, over whichever engine is live; `live` throws `NOT_STARTED` where none is. */
export class SagaVerbs implements Sagas {
  readonly on: Sagas['on']
  readonly once: Sagas['once']
  readonly #plans: ReadonlyMap<string, SagaPlan>
  readonly #live: () => Live

  constructor(plans: ReadonlyMap<string, SagaPlan>, events: Emitter<SagaEvents>, live: () => Live) {
    this.#plans = plans
    this.#live = live
    this.on = (name, listener) => events.on(name, listener)
    this.once = (name, listener) => events.once(name, listener)
  }

  async start<I, O>(definition: SagaDefinition<I, O>, input: I, options: SagaStartOptions): Promise<SagaHandle<O>> {
    if (partsOfSaga(definition) === undefined) throw noDefinition('start', definition)
    const plan = this.#planOf(definition)
    const owner = `saga ${plan.name}: start`
    const { context, idempotencyKey, ...given } = checkOptions(owner, options, startRules)
    const id = idOf(owner, given.id)
    const live = this.#live()
    live.checkIntake()
    const { clock, shards } = live.settings
    const birth = await prepareBirth(plan, input, { id, context, idempotencyKey, shards, atEpochMs: clock.epochMs() })
    live.checkIntake()
    await untilAborted(live.create(birth), context?.signal)
    return new Handle<O>(plan.name, id, this.#live)
  }

  get<I, O>(definition: SagaDefinition<I, O>, id: string): SagaHandle<O> {
    const plan = this.#planOf(definition)
    if (!isName(id)) throw invalidOption(`saga ${plan.name}: get`, 'id', MUST_ID, id)
    return new Handle<O>(plan.name, id, this.#live)
  }

  async list(filter: SagaFilter = {}): Promise<readonly SagaHead[]> {
    return this.#live().settings.journal.list(filter)
  }

  async retry(id: string, options?: { readonly reason?: string }): Promise<void> {
    const { reason } = checkOptions('sagas: retry', options, { reason: optional(reasonRule) })
    if (!isName(id)) throw invalidOption('sagas: retry', 'id', MUST_ID, id)
    await this.#live().operator.retry(id, reason)
  }

  async skip(id: string, reason: string): Promise<void> {
    checkOptions('sagas: skip', { id, reason }, { id: required(any<string>(MUST_ID, isName, '')), reason: required(reasonRule) })
    await this.#live().operator.skip(id, reason)
  }

  #planOf(definition: SagaDefinition<unknown, unknown>): SagaPlan {
    const name = (definition as { name?: unknown } | undefined)?.name
    const plan = typeof name === 'string' ? this.#plans.get(name) : undefined
    if (plan === undefined || plan.definition !== definition) throw notRegistered(String(name), [...this.#plans.keys()])
    return plan
  }
}
