import { show } from '../../core/options.ts'
import type { Checkpoint, CheckpointVerdict, CheckpointWrite } from '../../ports/checkpoints.ts'
import { invalidInput } from '../storage-shared/refusals.ts'
import { checkName, checkWhole } from '../storage-shared/texts.ts'
import { checkPosition } from './condition.ts'
import { checkShort } from './event.ts'

export const CHECKPOINT_NAME_MAX_BYTES = 512
const LIMIT = 100
const LIMIT_MAX = 1_000

/** @throws {HoldfastError} `INVALID_INPUT` or `NOT_JSON` (effect none). */
export function checkSave(write: CheckpointWrite): void {
  if (typeof write !== 'object' || write === null)
    throw invalidInput('save: write', 'an object with name, from, to, incarnation and token', show(write))
  const { name, from, to, incarnation, token } = write
  checkName('save: name', name, CHECKPOINT_NAME_MAX_BYTES)
  checkPosition('save: from', from)
  checkPosition('save: to', to)
  checkShort('save: incarnation', incarnation)
  checkWhole('save: token', token)
}

/** A page of a list, with everything filled in. @throws {HoldfastError} `INVALID_INPUT` or `NOT_JSON` (effect none). */
export function checkList(filter: { readonly limit?: number; readonly afterName?: string } = {}) {
  const { limit = LIMIT, afterName } = filter
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > LIMIT_MAX)
    throw invalidInput('list: limit', `a whole number from 1 to ${LIMIT_MAX}`, show(limit))
  if (afterName !== undefined) checkName('list: afterName', afterName, CHECKPOINT_NAME_MAX_BYTES)
  return { limit, afterName }
}

/** Whether a write may be made over what is stored; a reader that begins anew in another incarnation does so from 0. */
export function judgeSave({ from, incarnation, token }: CheckpointWrite, stored: Checkpoint | undefined): CheckpointVerdict {
  if (stored !== undefined && token < stored.token) return { ok: false, reason: 'fenced', stored }
  const follows = from === (incarnation === stored?.incarnation ? stored.position : 0n)
  return follows ? { ok: true } : { ok: false, reason: 'moved', stored }
}
