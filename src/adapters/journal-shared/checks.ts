import { checkOptions, show } from '../../core/options.ts'
import { any, finite, optional, whole } from '../../core/rules.ts'
import type { SagaFilter, SagaRecord, SagaState, SagaWrite } from '../../ports/saga-journal.ts'
import { invalidInput } from '../storage-shared/refusals.ts'
import { checkText, checkWhole } from '../storage-shared/texts.ts'

const STATES: readonly SagaState[] = ['running', 'undoing', 'stuck', 'done', 'undone']

/** Checks a whole batch before anything of it is written. */
export function checkWrites(writes: readonly SagaWrite[]): void {
  for (const write of writes) {
    checkText('the id of a saga', write.id)
    if (!STATES.includes(write.state)) throw invalidInput(`${write.id}: state`, `one of ${STATES.join(', ')}`, show(write.state))
    if (write.create !== undefined) checkCreation(write.id, write.create)
    for (const record of write.records) checkRecord(write.id, record)
  }
}

function checkCreation(id: string, create: NonNullable<SagaWrite['create']>): void {
  checkText(`${id}: saga`, create.saga)
  checkWhole(`${id}: version`, create.version)
  checkText(`${id}: definitionHash`, create.definitionHash)
  checkText(`${id}: inputHash`, create.inputHash)
  checkWhole(`${id}: shard`, create.shard)
}

function checkRecord(id: string, record: SagaRecord): void {
  checkWhole(`${id}: seq`, record.seq)
  checkText(`${id}: kind`, record.kind)
  if (record.step !== null) checkText(`${id}: step`, record.step)
  if (!Number.isFinite(record.atEpochMs)) throw invalidInput(`${id}: atEpochMs`, 'a number', show(record.atEpochMs))
  checkText(`${id}: ${record.step ?? record.kind}: data`, record.data)
}

const aText = (value: unknown): boolean => typeof value === 'string'

/** A filter with its limit filled in. */
export function checkFilter(filter: SagaFilter): SagaFilter & { readonly limit: number } {
  const read = checkOptions('list', filter, {
    saga: optional(any<string>('a text', aText, '')),
    states: optional(
      any<readonly SagaState[]>('a list of states', (value) => Array.isArray(value) && value.every((s) => STATES.includes(s)), []),
    ),
    shard: optional(whole({ default: 0 })),
    limit: whole({ min: 1, max: 10_000, default: 100 }),
    afterId: optional(any<string>('a text', aText, '')),
  })
  if (read.saga !== undefined) checkText('list: saga', read.saga)
  if (read.afterId !== undefined) checkText('list: afterId', read.afterId)
  return read as SagaFilter & { readonly limit: number }
}

const claimRules = {
  shards: whole({ min: 1, max: 4_096, default: 1 }),
  leaseMs: finite({ min: 1, default: 10_000 }),
  signal: any<unknown>('an AbortSignal', (value) => typeof value === 'object', undefined),
}

export function checkClaim(owner: string, options: { readonly shards: number; readonly leaseMs: number }): void {
  checkText('claim: owner', owner)
  checkOptions('claim', options, claimRules)
}
