import type { Checkpoint, Checkpoints, CheckpointVerdict, CheckpointWrite } from '../../../ports/checkpoints.ts'
import { CHECKPOINT_NAME_MAX_BYTES, checkList, checkSave, judgeSave } from '../../event-shared/checkpoint.ts'
import { aborted } from '../../storage-shared/refusals.ts'
import { checkName } from '../../storage-shared/texts.ts'
import { asNumber, asText, type Connection, type Row } from '../connection.ts'
import { inSavepoint, joinedBy } from '../handles.ts'
import type { Session } from '../session.ts'
import { type KeptStatements, prepareKept } from './statements.ts'

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
    checkName('load: name', name, CHECKPOINT_NAME_MAX_BYTES)
    return this.#session.read('load', ({ kept }) => find(kept, name), signal)
  }

  async save(write: CheckpointWrite, options: { readonly tx?: unknown; readonly signal?: AbortSignal } = {}): Promise<CheckpointVerdict> {
    checkSave(write)
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
    const { limit, afterName } = checkList(filter)
    const rows = await this.#session.read('list', ({ kept }) => kept.checkpoints.all(afterName ?? '', limit), filter.signal)
    return rows.map(checkpointOf)
  }

  async delete(name: string, signal?: AbortSignal): Promise<boolean> {
    checkName('delete: name', name, CHECKPOINT_NAME_MAX_BYTES)
    return this.#session.write('delete', ({ kept }) => kept.dropCheckpoint.get(name) !== undefined, signal)
  }

  close(): Promise<void> {
    return this.#session.close()
  }
}

function find(kept: KeptStatements, name: string): Checkpoint | undefined {
  const row = kept.checkpoint.get(name)
  return row === undefined ? undefined : checkpointOf(row)
}

function save(kept: KeptStatements, write: CheckpointWrite, nowMs: number): CheckpointVerdict {
  const { name, to, incarnation, token } = write
  const verdict = judgeSave(write, find(kept, name))
  if (verdict.ok) kept.saveCheckpoint.run(name, String(to), incarnation, token, nowMs)
  return verdict
}

const checkpointOf = (row: Row): Checkpoint =>
  Object.freeze({
    name: asText(row.name),
    position: BigInt(asText(row.position)),
    incarnation: asText(row.incarnation),
    token: asNumber(row.token),
    updatedEpochMs: asNumber(row.updated_ms),
  })
