import { setImmediate } from 'node:timers'
import { show } from '../../../core/options.ts'
import type { LogBatch, LogHead, StoredEvent } from '../../../ports/event-store.ts'
import type { CheckedLogRead, CheckedStreamRead } from '../../event-shared/reads.ts'
import { notStarted } from '../../storage-shared/refusals.ts'
import type { Session } from '../session.ts'
import { logReset } from './judge.ts'
import { type Most, selectEvents } from './select.ts'
import { headIn, incarnationIn, type LogStatements } from './statements.ts'
import { streamEvents, streamOf, TOMBSTONED, type Versions } from './streams.ts'

/** What is read in one step, some 5 ms of it; a batch that has more takes several, with a turn of the event loop between them. */
const STEP: Most = { events: 1_000, size: 4_194_304 }
/** A batch ends with the step that reaches so much JSON, however few events it has then. */
const BATCH_SIZE_MAX = 16_777_216
/** How many places are looked at in one step where a filter lets few through; by an index of tags they are skipped, not looked at. */
const SCANNED_MAX = 10_000
const SCANNED_BY_TAG_MAX = 100_000

const turn = setImmediate
/** A turn of the event loop: a reader that finds everything in the cache would otherwise leave nobody else a chance. */
const nextTurn = (): Promise<void> => new Promise((resolve) => turn(resolve))

/** A head that was found in the same snapshot as what is read beside it. */
interface Found {
  readonly head: number
  readonly incarnation: string
}

const foundIn = (log: LogStatements): Found => ({
  head: headIn(log),
  incarnation: incarnationIn(log),
})

export const headOf = async (session: Session, signal?: AbortSignal): Promise<LogHead> => {
  const { head, incarnation } = await session.read('head', ({ log }) => foundIn(log), signal)
  return { position: BigInt(head), incarnation }
}

export async function* readStream(session: Session, read: CheckedStreamRead): AsyncGenerator<readonly StoredEvent[]> {
  const { stream, tenant, fromVersion, toVersion, backwards, batch, signal } = read
  const found = await session.read('readStream', ({ log }) => streamOf(log, tenant, stream), signal)
  if (found === undefined) return
  const last = found.version
  let [low, high] = backwards
    ? [toVersion ?? 1, Math.min(fromVersion ?? last, last)]
    : [fromVersion ?? 1, Math.min(toVersion ?? last, last)]
  while (low <= high) {
    const span = { low, high, backwards }
    const events = await streamBatch(session, found.number, span, batch, { tenant, stream, signal })
    const end = events.at(-1)
    if (end === undefined) return
    if (backwards) high = end.version - 1
    else low = end.version + 1
    yield events
    await nextTurn()
  }
}

async function streamBatch(
  session: Session,
  number: number,
  span: Versions,
  batch: number,
  of: { readonly tenant: string; readonly stream: string; readonly signal: AbortSignal | undefined },
): Promise<readonly StoredEvent[]> {
  const events: StoredEvent[] = []
  let { low, high } = span
  let size = 0
  while (low <= high && events.length < batch && size < BATCH_SIZE_MAX) {
    if (events.length > 0) await nextTurn()
    const most = { ...STEP, events: Math.min(STEP.events, batch - events.length) }
    const step = await session.read('readStream', ({ log }) => stepOf(log, number, { ...span, low, high }, most, of), of.signal)
    const end = step.events.at(-1)
    if (end === undefined) break
    events.push(...step.events)
    size += step.size
    if (span.backwards) high = end.version - 1
    else low = end.version + 1
  }
  return events
}

/** What has been truncated or tombstoned meanwhile is no longer given. */
function stepOf(log: LogStatements, number: number, span: Versions, most: Most, { tenant, stream }: { tenant: string; stream: string }) {
  const now = streamOf(log, tenant, stream)
  if (now === undefined || now.state === TOMBSTONED) return { events: [], size: 0 }
  return streamEvents(log, number, { ...span, low: Math.max(span.low, now.keptFrom) }, most)
}

/** How many steps one batch may take that finds little. */
const STEPS_MAX = 50

/** A reader's place in the log, and what it reads. */
class Cursor {
  readonly #session: Session
  readonly #call: string
  readonly #read: CheckedLogRead
  readonly #scannedMax: number
  #at: bigint
  #incarnation: string | undefined

  constructor(session: Session, call: string, read: CheckedLogRead) {
    this.#session = session
    this.#call = call
    this.#read = read
    this.#scannedMax = read.query.tags.length > 0 && read.tenant !== '*' ? SCANNED_BY_TAG_MAX : SCANNED_MAX
    this.#at = read.after
    this.#incarnation = read.incarnation
  }

  /** The next batch, up to the head or to `upTo`, and where that is. */
  async next(upTo?: number): Promise<{ readonly batch: LogBatch; readonly upTo: number }> {
    const { batch, signal } = this.#read
    const events: StoredEvent[] = []
    let end = upTo
    let size = 0
    for (let steps = 0; ; steps++) {
      if (steps > 0) await nextTurn()
      const step = await this.#session.read(this.#call, ({ log }) => this.#step(log, end, batch - events.length), signal)
      end = step.upTo
      this.#at = BigInt(step.scannedTo)
      for (const event of step.events) events.push(event)
      size += step.size
      if (step.scannedTo >= end || events.length >= batch || size >= BATCH_SIZE_MAX || steps >= STEPS_MAX) break
    }
    return { batch: { events, scannedTo: this.#at, incarnation: this.#incarnation as string }, upTo: end }
  }

  #step(log: LogStatements, upTo: number | undefined, room: number) {
    const { head, incarnation } = foundIn(log)
    if (this.#incarnation !== undefined && this.#incarnation !== incarnation)
      throw logReset(`incarnation ${show(this.#incarnation)} is not the log's`)
    this.#incarnation = incarnation
    if (this.#at > BigInt(head)) throw logReset(`position ${this.#at} is past the head of the log, ${head}`)
    const end = upTo ?? head
    const at = Number(this.#at)
    const span = { after: at, upTo: Math.min(end, at + this.#scannedMax) }
    const most = { ...STEP, events: Math.min(STEP.events, room) }
    return { ...selectEvents(log, this.#read.tenant, this.#read.query, span, most), upTo: end }
  }
}

export async function* readAll(session: Session, read: CheckedLogRead): AsyncGenerator<LogBatch> {
  const cursor = new Cursor(session, 'readAll', read)
  // Also for whoever asks again and again at the head.
  await nextTurn()
  const { batch, upTo } = await cursor.next()
  yield batch
  for (let at = batch.scannedTo; at < BigInt(upTo); ) {
    await nextTurn()
    const next = await cursor.next(upTo)
    at = next.batch.scannedTo
    yield next.batch
  }
}

export async function* subscribe(session: Session, read: CheckedLogRead): AsyncGenerator<LogBatch> {
  const { signal } = read
  const cursor = new Cursor(session, 'subscribe', read)
  let told: bigint | undefined
  while (signal?.aborted !== true) {
    const since = session.changes.mark()
    const found = await cursor.next().catch((error: unknown) => {
      if (signal?.aborted === true) return undefined
      throw error
    })
    if (found === undefined) return
    if (told === undefined || found.batch.scannedTo > told) {
      told = found.batch.scannedTo
      yield found.batch
      await nextTurn()
    } else if ((await session.changes.wait({ since, signal })) === 'closed') throw notStarted('SQLite')
  }
}
