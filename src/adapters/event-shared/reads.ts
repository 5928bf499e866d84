import { show } from '../../core/options.ts'
import type { AppendOptions, LogRead, StreamRead } from '../../ports/event-store.ts'
import { invalidInput } from '../storage-shared/refusals.ts'
import { checkStream, checkTenant } from './checked.ts'
import { type CheckedQuery, checkPosition, checkQuery } from './condition.ts'

const BATCH = 1_000
const BATCH_MAX = 10_000
const TIMEOUT_MS = 5_000
const TIMEOUT_MAX_MS = 600_000

export interface CheckedStreamRead {
  readonly stream: string
  readonly tenant: string
  readonly fromVersion: number | undefined
  readonly toVersion: number | undefined
  readonly backwards: boolean
  readonly batch: number
  readonly signal: AbortSignal | undefined
}

/** @throws {HoldfastError} `INVALID_INPUT` or `NOT_JSON` (effect none). */
export function checkStreamRead(stream: string, read: StreamRead = {}): CheckedStreamRead {
  const { tenant = '', fromVersion, toVersion, backwards = false, batch = BATCH, signal } = read
  checkStream('readStream: stream', stream)
  checkTenant('readStream: tenant', tenant)
  checkBatch('readStream: batch', batch)
  for (const [name, version] of Object.entries({ fromVersion, toVersion })) {
    if (version !== undefined && !(Number.isSafeInteger(version) && version >= 1))
      throw invalidInput(`readStream: ${name}`, 'a version of at least 1', show(version))
  }
  return { stream, tenant, fromVersion, toVersion, backwards, batch, signal }
}

export interface CheckedLogRead {
  readonly after: bigint
  readonly incarnation: string | undefined
  readonly tenant: string
  readonly query: CheckedQuery
  readonly batch: number
  readonly signal: AbortSignal | undefined
}

/** @throws {HoldfastError} `INVALID_INPUT` or `NOT_JSON` (effect none). */
export function checkLogRead(call: string, read: LogRead = {}): CheckedLogRead {
  const { after = 0n, incarnation, tenant = '', batch = BATCH, types, tags, signal } = read
  checkPosition(`${call}: after`, after)
  if (tenant !== '*') checkTenant(`${call}: tenant`, tenant)
  checkBatch(`${call}: batch`, batch)
  const query = checkQuery(call, { ...(types === undefined ? {} : { types }), ...(tags === undefined ? {} : { tags }) })
  return { after, incarnation, tenant, query, batch, signal }
}

function checkBatch(what: string, batch: unknown): void {
  if (!Number.isSafeInteger(batch) || (batch as number) < 1 || (batch as number) > BATCH_MAX)
    throw invalidInput(what, `a whole number from 1 to ${BATCH_MAX}`, show(batch))
}

export interface Bounds {
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
}

export function checkBounds(call: string, options: AppendOptions = {}): Bounds {
  const { timeoutMs = TIMEOUT_MS, signal } = options
  if (!(typeof timeoutMs === 'number' && timeoutMs >= 1 && timeoutMs <= TIMEOUT_MAX_MS))
    throw invalidInput(`${call}: timeoutMs`, `a number from 1 to ${TIMEOUT_MAX_MS}`, show(timeoutMs))
  return { timeoutMs, signal }
}
