import { type Clock, defaultClock } from './clock.ts'
import type { ContextChange, TraceContext } from './context.ts'

/** The part of a context that seldom changes; shared by all contexts of a call. */
export interface Meta {
  readonly clock: Clock
  readonly idempotencyKey: string | undefined
  readonly tenant: string | undefined
  readonly keys: Readonly<Record<string, string>>
  readonly trace: TraceContext | undefined
  readonly correlationId: string | undefined
  readonly causationId: string | undefined
  readonly values: ReadonlyMap<unknown, unknown>
  /** What `with` was given beyond the names a context knows; every context below carries it. */
  readonly extras: Readonly<Record<string, unknown>> | null
}

export const NO_META: Meta = {
  clock: defaultClock,
  idempotencyKey: undefined,
  tenant: undefined,
  keys: Object.freeze({}),
  trace: undefined,
  correlationId: undefined,
  causationId: undefined,
  values: new Map(),
  extras: null,
}

/** What a change may name; `timeoutMs` and `attempt` belong to the context itself. */
export type MetaChange = { readonly [N in Exclude<keyof ContextChange, 'timeoutMs' | 'attempt'>]?: ContextChange[N] | undefined } & {
  readonly clock?: Clock
  readonly extras?: Record<string, unknown>
}

/** A copy with the given members changed; `keys` and `extras` are merged, absent members stay. */
export function changeMeta(meta: Meta, change: MetaChange): Meta {
  return {
    clock: change.clock ?? meta.clock,
    idempotencyKey: change.idempotencyKey ?? meta.idempotencyKey,
    tenant: change.tenant ?? meta.tenant,
    keys: change.keys === undefined ? meta.keys : { ...meta.keys, ...change.keys },
    trace: change.trace ?? meta.trace,
    correlationId: change.correlationId ?? meta.correlationId,
    causationId: change.causationId ?? meta.causationId,
    values: change.values ?? meta.values,
    extras: change.extras === undefined ? meta.extras : { ...meta.extras, ...change.extras },
  }
}

/** What a call that began without a context starts from, on the given clock. */
export const metaOn = (clock: Clock): Meta => (clock === NO_META.clock ? NO_META : changeMeta(NO_META, { clock }))
