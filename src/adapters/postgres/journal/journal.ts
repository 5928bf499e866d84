import { HoldfastError } from '../../../core/errors.ts'
import { uuidv7 } from '../../../core/ids.ts'
import type { SagaClaim, SagaFilter, SagaHead, SagaJournal, SagaRecord, SagaVerdict, SagaWrite } from '../../../ports/saga-journal.ts'
import { checkClaim, checkFilter, checkWrites } from '../../journal-shared/checks.ts'
import { checkText } from '../../storage-shared/texts.ts'
import { corrupt } from '../errors.ts'
import { escaped } from '../escapes.ts'
import { patiently } from '../patience.ts'
import { PgPort, type PgSession } from '../session.ts'
import { Appends } from './appends.ts'
import { encode } from './encode.ts'
import { asHead, asRecord, journalQueries, listQuery } from './queries.ts'

/**
 * Beside the owner's name: a process that starts under the name of a paused one must not write beside it, both with one epoch. One for all
 * storages of the process, as far as it has one copy of this file.
 */
const PROCESS = uuidv7()

const holder = (owner: string): string => `${PROCESS} ${escaped(owner)}`

/** The saga journal on PostgreSQL. What is appended at once, by whomever in this process, is one transaction. */
export class PgJournal implements SagaJournal {
  readonly #port: PgPort
  readonly #queries
  readonly #appends: Appends

  constructor(session: PgSession, settleMaxMs: number) {
    this.#port = new PgPort(session)
    this.#queries = journalQueries(session.names)
    this.#appends = new Appends(session, this.#queries, settleMaxMs)
  }

  async open(signal?: AbortSignal): Promise<void> {
    await this.#port.open(signal)
    this.#appends.open()
  }

  async append(writes: readonly SagaWrite[], signal?: AbortSignal): Promise<readonly SagaVerdict[]> {
    checkWrites(writes)
    const sent = writes.map(encode)
    this.#port.check('append', signal)
    const settled = await Promise.allSettled(sent.map((write) => this.#appends.add(write, signal)))
    const failed = settled.filter((one) => one.status === 'rejected')
    if (failed.length > 0) throw together(failed, settled.length)
    return settled.map((one) => (one as PromiseFulfilledResult<SagaVerdict>).value)
  }

  async claim(
    owner: string,
    options: { readonly shards: number; readonly leaseMs: number; readonly signal?: AbortSignal },
  ): Promise<readonly SagaClaim[]> {
    checkClaim(owner, options)
    const { shards, leaseMs, signal } = options
    const values = [holder(owner), String(shards), String(leaseMs)]
    const claim = () => this.#port.query(this.#queries.claim, values, { call: 'claim', writes: true, signal })
    const rows = await patiently(this.#port.session.clock, claim)
    return rows.map(([shard, epoch]) => ({ fence: { shard: Number(shard), epoch: Number(epoch) }, leaseMs }))
  }

  async release(owner: string, signal?: AbortSignal): Promise<void> {
    checkText('release: owner', owner)
    const release = () => this.#port.query(this.#queries.release, [holder(owner)], { call: 'release', writes: true, signal })
    await patiently(this.#port.session.clock, release)
  }

  async head(id: string, signal?: AbortSignal): Promise<SagaHead | undefined> {
    checkText('head: id', id)
    const [row] = await this.#port.query(this.#queries.head, [escaped(id)], { call: 'head', writes: false, signal })
    return row === undefined ? undefined : asHead(row)
  }

  async read(id: string, signal?: AbortSignal): Promise<readonly SagaRecord[]> {
    checkText('read: id', id)
    const rows = await this.#port.query(this.#queries.records, [escaped(id)], { call: 'read', writes: false, signal })
    // To go on with a part of what happened would undo or repeat the wrong steps.
    const seq = Number(rows[0]?.[0] ?? 0)
    if (rows.length !== seq || (seq > 0 && Number(rows[seq - 1]?.[1]) !== seq))
      throw corrupt(`saga ${id} has ${rows.length} records of ${seq}`)
    return rows.map(asRecord)
  }

  async list(filter: SagaFilter, signal?: AbortSignal): Promise<readonly SagaHead[]> {
    const checked = checkFilter(filter)
    this.#port.check('list', signal)
    if (checked.states?.length === 0) return []
    const [query, values] = listQuery(this.#port.session.names, checked)
    const rows = await this.#port.query(query, values, { call: 'list', writes: false, signal })
    return rows.map(asHead)
  }

  async close(): Promise<void> {
    this.#port.close()
    await this.#appends.close()
  }
}

/** Of the call's writes some failed: nothing is known to be unwritten unless all are. */
function together(failed: readonly PromiseRejectedResult[], all: number): unknown {
  const [first] = failed.map(({ reason }) => reason as unknown)
  const none = failed.length === all && failed.every(({ reason }) => reason instanceof HoldfastError && reason.effect === 'none')
  if (none || !(first instanceof HoldfastError)) return first
  const { code, message, retry, details, cause } = first
  return new HoldfastError(code, message, { effect: 'unknown', retry, details, cause })
}
