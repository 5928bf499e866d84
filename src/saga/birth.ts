import type { Context } from '../core/context.ts'
import { toJson } from '../core/json.ts'
import { parse } from '../core/schema.ts'
import type { SagaHead, SagaWrite } from '../ports/saga-journal.ts'
import { inputHash, shardOf } from './hash.ts'
import type { SagaPlan } from './plan.ts'
import { type Progress, replay } from './progress.ts'
import { type Entry, encode } from './records.ts'
import { storeContext } from './stored-context.ts'
import type { Tenure } from './tenure.ts'

/** A saga that is about to be created. */
export interface Birth {
  readonly id: string
  readonly plan: SagaPlan
  readonly shard: number
  readonly inputHash: string
  readonly started: Entry
}

export interface BirthOptions {
  readonly id: string
  readonly context: Context | undefined
  readonly idempotencyKey: string | undefined
  readonly shards: number
  readonly atEpochMs: number
}

/** @throws {HoldfastError} `INVALID_INPUT` or `NOT_JSON` (effect none). */
export async function prepareBirth(plan: SagaPlan, input: unknown, options: BirthOptions): Promise<Birth> {
  const { id, idempotencyKey } = options
  const parsed = await parse(`saga ${plan.name}: input`, plan.input, input)
  const json = toJson('input', parsed)
  const context = storeContext(options.context)
  const data = {
    ...(parsed === undefined ? {} : { input: JSON.parse(json) as unknown }),
    ...(context === undefined ? {} : { context }),
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
  }
  const started: Entry = { kind: 'started', step: null, atEpochMs: options.atEpochMs, data }
  return { id, plan, shard: shardOf(id, options.shards), inputHash: inputHash(identityOfInput(input, data.input)), started }
}

/**
 * What tells an input from another: what the caller gave, since a schema may add what differs each time (a default that draws an id).
 * Where that is not JSON, what the schema made of it.
 */
function identityOfInput(given: unknown, parsed: unknown): unknown {
  try {
    toJson('input', given)
    return given
  } catch {
    return parsed
  }
}

/**
 * The write that creates a saga. Where it can begin at once, the intent of its first step rides along and the write is fenced; otherwise
 * whoever owns its shard finds it.
 */
export function birthWrite(birth: Birth, tenure: Tenure | undefined): { write: SagaWrite; progress: Progress; entries: readonly Entry[] } {
  const { id, plan, shard, started } = birth
  const first = plan.steps[0]
  const entries: Entry[] = [started]
  if (tenure !== undefined && first !== undefined)
    entries.push({ kind: 'intent', step: first.name, atEpochMs: started.atEpochMs, data: {} })
  const create = {
    saga: plan.name,
    version: plan.definition.version,
    definitionHash: plan.hash,
    inputHash: birth.inputHash,
    shard,
  }
  const progress = replay(entries)
  const records = entries.map((entry, i) => encode(entry, i + 1))
  const write = { id, records, state: progress.state, create, ...(tenure === undefined ? {} : { fence: tenure.fence }) }
  return { write, progress, entries }
}

/** Whether a stored saga is the one that was to be created. */
export const isSame = (birth: Birth, head: SagaHead): boolean => head.saga === birth.plan.name && head.inputHash === birth.inputHash
