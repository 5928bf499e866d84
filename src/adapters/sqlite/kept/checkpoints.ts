import { show } from '../../../core/options.ts'
import type { Checkpoint, Checkpoints, CheckpointVerdict, CheckpointWrite } from '../../../ports/checkpoints.ts'
import { checkPosition } from '../../event-shared/condition.ts'
import { checkShort } from '../../event-shared/event.ts'
import { aborted, invalidInput } from '../../storage-shared/refusals.ts'
import { checkName, checkWhole } from '../../storage-shared/texts.ts'
import { asNumber, asText, type Connection, type Row } from '../connection.ts'
import { inSavepoint, joinedBy } from '../handles.ts'
import type { Session } from '../session.ts'
import { type KeptStatements, prepareKept } from './statements.ts'

const NAME_MAX_BYTES = 512
const LIMIT = 100
const LIMIT_MAX = 1_000

const prepared = new WeakMap<Connection, KeptStatements>()

/** How far readers have come, one row each. */
export class SqliteCheckpoints implements Checkpoints {
  readonly #session: Session

  constructor(session: Session) {
    this.#session = session
  }

  open(signal?: AbortSignal): Promise<void> {
    return this.#session.open(signal)
  }

  async load(name: string, signal?: AbortSignal): Promise<Checkpoint | undefined> {
    checkName('load: name', name, NAME_MAX_BYTES)
    return this.#session.read('load', ({ kept }) => find(kept, name), signal)
  }

  async save(write: CheckpointWrite, options: { readonly tx?: unknown; readonly signal?: AbortSignal } = {}): Promise<CheckpointVerdict> {
    checkWrite(write)
    const { tx, signal } = options
    const nowMs = this.#session.clock.epochMs()
    if (tx === undefined) return this.#session.write('save', ({ kept }) => save(kept, write, nowMs), signal)
    if (signal?.aborted === true) throw aborted('save', signal)
    const joined = joinedBy(tx, this.#session.opened.connection)
    const kept = prepared.get(joined.connection) ?? prepareKept(joined.connection)
    prepared.set(joined.connection, kept)
    return inSavepoint(joined, () => save(kept, write, nowMs))
  }

  async list(
    filter: { readonly limit?: number; readonly afterName?: string; readonly signal?: AbortSignal } = {},
  ): Promise<readonly Checkpoint[]> {
    const { limit = LIMIT, afterName, signal } = filter
    if (!Number.isSafeInteger(limit) || limit < 1 || limit > LIMIT_MAX)
      throw invalidInput('list: limit', `a whole number from 1 to ${LIMIT_MAX}`, show(limit))
    if (afterName !== undefined) checkName('list: afterName', afterName, NAME_MAX_BYTES)
    const rows = await this.#session.read('list', ({ kept }) => kept.checkpoints.all(afterName ?? '', limit), signal)
    return rows.map(checkpointOf)
  }

  async delete(name: string, signal?: AbortSignal): Promise<boolean> {
    checkName('delete: name', name, NAME_MAX_BYTES)
    return this.#session.write('delete', ({ kept }) => kept.dropCheckpoint.get(name) !== undefined, signal)
  }

  close(): Promise<void> {
    return this.#session.close()
  }
}

function checkWrite(write: CheckpointWrite): void {
  if (typeof write !== 'object' || write === null) throw invalidInput('save: write', 'an object with name, from, to, …', show(write))
  const { name, from, to, incarnation, token } = write
  checkName('save: name', name, NAME_MAX_BYTES)
  checkPosition('save: from', from)
  checkPosition('save: to', to)
  checkShort('save: incarnation', incarnation)
  checkWhole('save: token', token)
}

function find(kept: KeptStatements, name: string): Checkpoint | undefined {
  const row = kept.checkpoint.get(name)
  return row === undefined ? undefined : checkpointOf(row)
}

function save(kept: KeptStatements, write: CheckpointWrite, nowMs: number): CheckpointVerdict {
  const { name, from, to, incarnation, token } = write
  const stored = find(kept, name)
  if (stored !== undefined && token < stored.token) return { ok: false, reason: 'fenced', stored }
  const follows = from === (incarnation === stored?.incarnation ? stored.position : 0n)
  if (!follows) return { ok: false, reason: 'moved', stored }
  kept.saveCheckpoint.run(name, String(to), incarnation, token, nowMs)
  return { ok: true }
}

const checkpointOf = (row: Row): Checkpoint =>
  Object.freeze({
    name: asText(row.name),
    position: BigInt(asText(row.position)),
    incarnation: asText(row.incarnation),
    token: asNumber(row.token),
    updatedEpochMs: asNumber(row.updated_ms),
  })
