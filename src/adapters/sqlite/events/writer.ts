import type { HoldfastError } from '../../../core/errors.ts'
import type { AppendReceipt, AppendVerdict } from '../../../ports/event-store.ts'
import { type CheckedRequest, type CheckedWrite, requestHash } from '../../event-shared/checked.ts'
import type { CheckedEvent } from '../../event-shared/event.ts'
import { asNumber, asText } from '../connection.ts'
import { unavailable } from '../errors.ts'
import { judge } from './judge.ts'
import type { LogStatements } from './statements.ts'
import { OPEN, streamOf } from './streams.ts'
import { markAt, tokenOf } from './token.ts'

export interface WriterOptions {
  readonly nowEpochMs: number
  /** Keys that were answered before then are forgotten. */
  readonly keysFromEpochMs: number
  /** In a transaction of the user's: up to where positions are known to be committed. */
  readonly joinedAfter?: number
}

/** What one transaction does with the log: requests are decided and written one after another, each seeing those before it. */
export class LogWriter {
  readonly #log: LogStatements
  readonly #options: WriterOptions
  readonly #incarnation: string
  readonly #before: number
  readonly #types = new Map<string, number>()
  #head: number
  #lastId = ''
  #keys = 0

  constructor(log: LogStatements, options: WriterOptions) {
    this.#log = log
    this.#options = options
    this.#incarnation = asText(log.incarnation.get()?.value)
    this.#before = asNumber(log.head.get()?.value)
    this.#head = this.#before
  }

  /** The last position given. */
  get head(): number {
    return this.#head
  }

  get incarnation(): string {
    return this.#incarnation
  }

  /** How many events were written. */
  get events(): number {
    return this.#head - this.#before
  }

  decide(request: CheckedRequest): AppendVerdict {
    const hash = request.idempotencyKey === undefined ? '' : requestHash(request)
    const refused = judge(this.#log, request, { head: this.#head, hash, receipt: (row) => this.#receipt(row), ...this.#options })
    if (refused !== undefined) return refused
    const versions = request.writes.map((write) => this.#write(request.tenant, write))
    if (request.idempotencyKey !== undefined) this.#keep(request.tenant, request.idempotencyKey, hash, versions)
    return { result: 'ok', ...this.#receipt({ versions, position: this.#head }) }
  }

  /** Before the commit. */
  finish(): void {
    if (this.#head !== this.#before) this.#log.setHead.run(this.#head)
    if (this.#keys > 0) this.#purge()
  }

  #receipt({ versions, position }: { readonly versions: readonly number[]; readonly position: number }): AppendReceipt {
    const { joinedAfter = position } = this.#options
    if (position <= joinedAfter) return { versions, position: BigInt(position), token: tokenOf(this.#incarnation, position) }
    return { versions, position: undefined, token: tokenOf(this.#incarnation, position, markAt(this.#log, position)) }
  }

  #write(tenant: string, { stream, events }: CheckedWrite): number {
    const found = streamOf(this.#log, tenant, stream)
    const before = found?.version ?? 0
    if (events.length === 0) return before
    const version = before + events.length
    const number = found?.number ?? asNumber(this.#log.addStream.get(tenant, stream, version, OPEN)?.number)
    if (found !== undefined) this.#log.moveStream.run(version, number)
    for (const [i, event] of events.entries()) this.#add(tenant, number, before + 1 + i, event)
    return version
  }

  #add(tenant: string, stream: number, version: number, { id, type, data, metadata, tags }: CheckedEvent): void {
    const position = this.#head + 1
    const kept = tags.length === 0 ? '' : JSON.stringify(tags)
    const size = data.length + metadata.length
    this.#log.addEvent.run(position, stream, version, this.#typeOf(type), size, this.#options.nowEpochMs, id, kept, metadata, data)
    for (const tag of tags) this.#log.addTag.run(tenant, tag, position)
    this.#head = position
    this.#lastId = id
  }

  /** Whether its last event stands in the log. */
  stands(): boolean {
    const row = this.events === 0 ? undefined : this.#log.eventAt.get(this.#head)
    return row !== undefined && asText(row.id) === this.#lastId && asNumber(row.recorded_ms) === this.#options.nowEpochMs
  }

  /** Known for this transaction only: one that is rolled back takes the type along. */
  #typeOf(type: string): number {
    const known = this.#types.get(type)
    if (known !== undefined) return known
    const row = this.#log.type.get(type) ?? this.#log.addType.get(type)
    const number = asNumber(row?.number)
    this.#types.set(type, number)
    return number
  }

  #keep(tenant: string, key: string, hash: string, versions: readonly number[]): void {
    this.#log.addKey.run(tenant, key, hash, JSON.stringify(versions), this.#head, this.#options.nowEpochMs)
    this.#keys += 1
  }

  /** Twice as many as came, from the oldest on, so that what is over goes in small steps and never piles up. */
  #purge(): void {
    const oldest = this.#log.oldestKey.get()
    if (oldest === undefined || asNumber(oldest.recorded_ms) >= this.#options.keysFromEpochMs) return
    this.#log.purgeKeys.run(this.#options.keysFromEpochMs, 2 * this.#keys)
  }
}

/**
 * Asks the log what became of a commit whose answer says nothing, which leaves either everything or nothing. Returns where all was written.
 *
 * @throws {HoldfastError} the error with effect none where nothing was written; the error as it is where that cannot be found out.
 */
export function settleCommit(log: LogStatements, writer: LogWriter, error: HoldfastError): void {
  if (error.effect === 'none') throw error
  let stands: boolean
  try {
    stands = writer.stands()
  } catch {
    throw error
  }
  if (stands) return
  // Without an event there is nothing to recognise a write of keys by.
  if (writer.events === 0) throw error
  throw unavailable(log.connection.place, `${error.message}; nothing was written`, { cause: error })
}
