import type { HoldfastError } from '../../../core/errors.ts'
import type { AppendReceipt, AppendVerdict } from '../../../ports/event-store.ts'
import { type CheckedRequest, type CheckedWrite, requestHash } from '../../event-shared/checked.ts'
import type { CheckedEvent } from '../../event-shared/event.ts'
import { asNumber, asText } from '../connection.ts'
import { unavailable } from '../errors.ts'
import { answered, type Found, judge, type KeptReceipt } from './judge.ts'
import { headIn, incarnationIn, type LogStatements } from './statements.ts'
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
    this.#incarnation = incarnationIn(log)
    this.#before = headIn(log)
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
    const { tenant, writes, idempotencyKey } = request
    const hash = idempotencyKey === undefined ? '' : requestHash(request)
    const keys = { hash, receipt: (kept: KeptReceipt) => this.#receipt(kept), keysFromEpochMs: this.#options.keysFromEpochMs }
    const repeated = idempotencyKey === undefined ? undefined : answered(this.#log, request, keys)
    if (repeated !== undefined) return repeated
    const streams = writes.map(({ stream }) => streamOf(this.#log, tenant, stream))
    const refused = judge(this.#log, request, streams, this.#head)
    if (refused !== undefined) return this.#asSeen(refused)
    const versions = writes.map((write, i) => this.#write(tenant, write, streams[i]))
    const receipt = { versions, position: this.#head, mark: this.#isJoined(this.#head) ? markAt(this.#log, this.#head) : undefined }
    if (idempotencyKey !== undefined) this.#keep(tenant, idempotencyKey, hash, receipt)
    const isJoined = this.#options.joinedAfter !== undefined
    return { result: 'ok', ...this.#receipt(receipt), ...(isJoined && { position: undefined }) }
  }

  /** Whether a position may still vanish with the transaction that it was given in. */
  #isJoined(position: number): boolean {
    return position > (this.#options.joinedAfter ?? position)
  }

  /** What a transaction has written itself has no position yet. */
  #asSeen(verdict: AppendVerdict): AppendVerdict {
    if (verdict.result !== 'conflict' || this.#options.joinedAfter === undefined) return verdict
    const missed = verdict.missed.map((event) => (this.#isJoined(Number(event.position)) ? { ...event, position: undefined } : event))
    return { ...verdict, missed }
  }

  /** Before the commit. */
  finish(): void {
    if (this.#head !== this.#before) this.#log.setHead.run(this.#head)
    if (this.#keys > 0) this.#purge()
  }

  #receipt({ versions, position, mark }: KeptReceipt): AppendReceipt {
    const token = tokenOf(this.#incarnation, position, mark)
    return { versions, position: this.#isJoined(position) ? undefined : BigInt(position), token }
  }

  #write(tenant: string, { stream, events }: CheckedWrite, found: Found): number {
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

  #keep(tenant: string, key: string, hash: string, { versions, position, mark }: KeptReceipt): void {
    this.#log.addKey.run(tenant, key, hash, JSON.stringify(versions), position, mark ?? null, this.#options.nowEpochMs)
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
