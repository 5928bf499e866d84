import type { Clock } from '../../core/clock.ts'
import type { SagaClaim, SagaFilter, SagaHead, SagaJournal, SagaRecord, SagaVerdict, SagaWrite } from '../../ports/saga-journal.ts'
import { checkClaim, checkFilter, checkWrites } from '../journal-shared/checks.ts'
import { checkText } from '../storage-shared/texts.ts'
import { corrupt } from './errors.ts'
import { thisProcess } from './holder.ts'
import { Leases } from './leases.ts'
import { asHead, asRecord, listed } from './queries.ts'
import type { Opened, Session } from './session.ts'
import { appendAll } from './writes.ts'

/** The saga journal on one SQLite database. Each call is one transaction. */
export class SqliteJournal implements SagaJournal {
  readonly #session: Session
  readonly #leases: Leases

  constructor(session: Session, clock: Clock) {
    this.#session = session
    this.#leases = new Leases(clock)
  }

  open(signal?: AbortSignal): Promise<void> {
    return this.#session.open(signal)
  }

  async append(writes: readonly SagaWrite[], signal?: AbortSignal): Promise<readonly SagaVerdict[]> {
    checkWrites(writes)
    return this.#session.write('append', ({ queries }) => appendAll(queries, writes), signal)
  }

  async claim(
    owner: string,
    options: { readonly shards: number; readonly leaseMs: number; readonly signal?: AbortSignal },
  ): Promise<readonly SagaClaim[]> {
    checkClaim(owner, options)
    const { shards, leaseMs, signal } = options
    return this.#session.write('claim', ({ queries }) => this.#leases.claim(queries, owner, shards, leaseMs), signal)
  }

  async release(owner: string, signal?: AbortSignal): Promise<void> {
    checkText('release: owner', owner)
    await this.#session.write('release', ({ queries }) => queries.release.run(owner, thisProcess()), signal)
  }

  async head(id: string, signal?: AbortSignal): Promise<SagaHead | undefined> {
    checkText('head: id', id)
    return this.#session.read('head', (opened) => headOf(opened, id), signal)
  }

  async read(id: string, signal?: AbortSignal): Promise<readonly SagaRecord[]> {
    checkText('read: id', id)
    return this.#session.read('read', (opened) => recordsOf(opened, id), signal)
  }

  async list(filter: SagaFilter, signal?: AbortSignal): Promise<readonly SagaHead[]> {
    const checked = checkFilter(filter)
    return this.#session.read('list', ({ connection }) => listed(connection, checked).map(asHead), signal)
  }

  close(): Promise<void> {
    return this.#session.close()
  }
}

function headOf({ queries }: Opened, id: string): SagaHead | undefined {
  const row = queries.head.get(id)
  return row === undefined ? undefined : asHead(row)
}

function recordsOf({ queries, connection }: Opened, id: string): readonly SagaRecord[] {
  const saga = queries.place.get(id)
  if (saga === undefined) return []
  const records = queries.records.all(Number(saga.number)).map(asRecord)
  // Damage that the check at opening does not see: to go on with a part of what happened would undo or repeat the wrong steps.
  if (records.length !== Number(saga.seq) || records.at(-1)?.seq !== records.length)
    throw corrupt(connection.place, `saga ${id} has ${records.length} records of ${Number(saga.seq)}`)
  return records
}
