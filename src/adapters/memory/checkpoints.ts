import type { Clock } from '../../core/clock.ts'
import { refusal } from '../../core/errors.ts'
import { show } from '../../core/options.ts'
import type { Checkpoint, Checkpoints, CheckpointVerdict, CheckpointWrite } from '../../ports/checkpoints.ts'
import { CHECKPOINT_NAME_MAX_BYTES, checkList, checkSave, judgeSave } from '../event-shared/checkpoint.ts'
import { aborted, notStarted } from '../storage-shared/refusals.ts'
import { checkName } from '../storage-shared/texts.ts'
import { compareTexts } from './order.ts'
import type { MemoryStore } from './store.ts'
import { type OpenTx, openTx, type TxPart, txNotOpen } from './transactions.ts'

/** How long a write waits for a transaction that has the same row. */
const WAIT_MS = 5_000

/** What a transaction has saved. */
class SavedIn implements TxPart {
  readonly saved = new Map<string, Checkpoint>()
  readonly #store: MemoryStore

  constructor(store: MemoryStore) {
    this.#store = store
  }

  commit(): void {
    for (const [name, checkpoint] of this.saved) this.#store.checkpoints.set(name, checkpoint)
  }
}

export class MemoryCheckpoints implements Checkpoints {
  readonly #store: MemoryStore
  readonly #clock: Clock
  #isOpen = false

  constructor(store: MemoryStore, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  async open(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) throw aborted('open', signal)
    this.#isOpen = true
  }

  async load(name: string, signal?: AbortSignal): Promise<Checkpoint | undefined> {
    this.#check('load', signal)
    checkName('load: name', name, CHECKPOINT_NAME_MAX_BYTES)
    return this.#store.checkpoints.get(name)
  }

  async save(
    write: CheckpointWrite,
    { tx: given, signal }: { readonly tx?: unknown; readonly signal?: AbortSignal } = {},
  ): Promise<CheckpointVerdict> {
    this.#check('save', signal)
    checkSave(write)
    const tx = given === undefined ? undefined : openTx(this.#store, given)
    const saved = tx?.part(this.#store.checkpoints, () => new SavedIn(this.#store)).saved ?? this.#store.checkpoints
    let verdict: CheckpointVerdict | undefined
    await this.#alone('save', write.name, { tx, signal }, () => {
      const stored = saved.get(write.name) ?? this.#store.checkpoints.get(write.name)
      verdict = judgeSave(write, stored)
      if (verdict.ok) saved.set(write.name, checkpointOf(write, this.#clock.epochMs()))
    })
    return verdict as unknown as CheckpointVerdict
  }

  async list(
    filter: { readonly limit?: number; readonly afterName?: string; readonly signal?: AbortSignal } = {},
  ): Promise<readonly Checkpoint[]> {
    this.#check('list', filter.signal)
    const { limit, afterName } = checkList(filter)
    return [...this.#store.checkpoints.values()]
      .filter(({ name }) => afterName === undefined || compareTexts(name, afterName) > 0)
      .sort((a, b) => compareTexts(a.name, b.name))
      .slice(0, limit)
  }

  async delete(name: string, signal?: AbortSignal): Promise<boolean> {
    this.#check('delete', signal)
    checkName('delete: name', name, CHECKPOINT_NAME_MAX_BYTES)
    let deleted = false
    await this.#alone('delete', name, { tx: undefined, signal }, () => {
      deleted = this.#store.checkpoints.delete(name)
    })
    return deleted
  }

  async close(): Promise<void> {
    this.#isOpen = false
    this.#store.holds.leave(this)
  }

  async #alone(
    call: string,
    name: string,
    { tx, signal }: { readonly tx: OpenTx | undefined; readonly signal: AbortSignal | undefined },
    work: () => void,
  ): Promise<void> {
    const by = { ...(tx === undefined ? {} : { tx }), owner: this, clock: this.#clock, signal, maxMs: WAIT_MS }
    const how = await this.#store.holds.enter([`checkpoint\0${name}`], work, by)
    if (how === 'aborted') throw aborted(call, signal as AbortSignal)
    if (how === 'closed') throw tx?.isOpen === false ? txNotOpen('one that is over') : notStarted('memory')
    if (how !== 'free') throw refusal('STORAGE_LOCKED', `${call}: ${show(name)} was held by an open transaction`, { details: { name } })
  }

  #check(call: string, signal: AbortSignal | undefined): void {
    if (signal?.aborted) throw aborted(call, signal)
    if (!this.#isOpen) throw notStarted('memory')
  }
}

const checkpointOf = ({ name, to, incarnation, token }: CheckpointWrite, updatedEpochMs: number): Checkpoint =>
  Object.freeze({ name, position: to, incarnation, token, updatedEpochMs })
