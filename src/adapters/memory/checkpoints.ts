import type { Clock } from '../../core/clock.ts'
import { refusal } from '../../core/errors.ts'
import { show } from '../../core/options.ts'
import type { Checkpoint, Checkpoints, CheckpointVerdict, CheckpointWrite } from '../../ports/checkpoints.ts'
import { checkPosition } from '../event-shared/condition.ts'
import { checkShort } from '../event-shared/event.ts'
import { aborted, invalidInput, notStarted } from '../storage-shared/refusals.ts'
import { checkName, checkWhole } from '../storage-shared/texts.ts'
import { compareTexts } from './order.ts'
import type { MemoryStore } from './store.ts'
import { type OpenTx, openTx, type TxPart, txNotOpen } from './transactions.ts'

const NAME_MAX_BYTES = 512
const LIMIT = 100
const LIMIT_MAX = 1_000
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
    checkName('load: name', name, NAME_MAX_BYTES)
    return this.#store.checkpoints.get(name)
  }

  async save(
    write: CheckpointWrite,
    { tx: given, signal }: { readonly tx?: unknown; readonly signal?: AbortSignal } = {},
  ): Promise<CheckpointVerdict> {
    this.#check('save', signal)
    checkWrite(write)
    const tx = given === undefined ? undefined : openTx(this.#store, given)
    const saved = tx?.part(this.#store.checkpoints, () => new SavedIn(this.#store)).saved ?? this.#store.checkpoints
    let verdict: CheckpointVerdict | undefined
    await this.#alone('save', write.name, { tx, signal }, () => {
      const stored = saved.get(write.name) ?? this.#store.checkpoints.get(write.name)
      verdict = judge(write, stored)
      if (verdict.ok) saved.set(write.name, checkpointOf(write, this.#clock.epochMs()))
    })
    return verdict as unknown as CheckpointVerdict
  }

  async list(
    filter: { readonly limit?: number; readonly afterName?: string; readonly signal?: AbortSignal } = {},
  ): Promise<readonly Checkpoint[]> {
    const { limit = LIMIT, afterName, signal } = filter
    this.#check('list', signal)
    if (!Number.isSafeInteger(limit) || limit < 1 || limit > LIMIT_MAX)
      throw invalidInput('list: limit', `a whole number from 1 to ${LIMIT_MAX}`, show(limit))
    if (afterName !== undefined) checkName('list: afterName', afterName, NAME_MAX_BYTES)
    return [...this.#store.checkpoints.values()]
      .filter(({ name }) => afterName === undefined || compareTexts(name, afterName) > 0)
      .sort((a, b) => compareTexts(a.name, b.name))
      .slice(0, limit)
  }

  async delete(name: string, signal?: AbortSignal): Promise<boolean> {
    this.#check('delete', signal)
    checkName('delete: name', name, NAME_MAX_BYTES)
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

function judge({ from, incarnation, token }: CheckpointWrite, stored: Checkpoint | undefined): CheckpointVerdict {
  if (stored === undefined) return from === 0n ? { ok: true } : { ok: false, reason: 'moved', stored }
  if (token < stored.token) return { ok: false, reason: 'fenced', stored }
  const follows = incarnation === stored.incarnation ? from === stored.position : from === 0n
  return follows ? { ok: true } : { ok: false, reason: 'moved', stored }
}

const checkpointOf = ({ name, to, incarnation, token }: CheckpointWrite, updatedEpochMs: number): Checkpoint =>
  Object.freeze({ name, position: to, incarnation, token, updatedEpochMs })

function checkWrite({ name, from, to, incarnation, token }: CheckpointWrite): void {
  checkName('save: name', name, NAME_MAX_BYTES)
  checkPosition('save: from', from)
  checkPosition('save: to', to)
  checkShort('save: incarnation', incarnation)
  checkWhole('save: token', token)
}
