import type { Timer } from '../../../core/clock.ts'
import type { HoldfastError } from '../../../core/errors.ts'
import type { ChangeFeed } from '../../kv-shared/change-feed.ts'
import type { SqlRow } from '../../sql-shared/runner.ts'
import { unescaped } from '../escapes.ts'
import type { PgSession } from '../session.ts'
import type { KeyQueries } from './queries.ts'

const POLL_MS = 250
/** Rows of deleted keys go after ten minutes: who has not looked for half of that may have missed some. */
const BLIND_MAX_MS = 300_000

/**
 * Looks for changed keys four times a second, as long as anybody watches. By transaction ids, not by revisions or times, whose order is not that
 * of the commits: nothing that commits late is passed over, however long it took.
 */
export class Watching {
  readonly #session: PgSession
  readonly #queries: KeyQueries
  readonly #feeds = new Set<ChangeFeed>()
  #timer: Timer | undefined
  #looking: Promise<void> | undefined
  /** The oldest transaction that was at work at the last look; what it and later ones write may not have been seen. */
  #fromXid: string | undefined
  #seenUntil: string | undefined
  #seenMs = 0
  /** What was found by that look: of it, much is found again. */
  #seen = new Set<string>()
  #beginning = 0

  constructor(session: PgSession, queries: KeyQueries) {
    this.#session = session
    this.#queries = queries
  }

  /** Resolves when everything that is written from now on will be told to the feed; before that, nothing may be written. */
  async begin(feed: ChangeFeed): Promise<void> {
    if (this.#feeds.size + this.#beginning === 0) this.#forget()
    this.#beginning += 1
    try {
      await this.#look()
      if (feed.over) return
      this.#feeds.add(feed)
      this.#next()
    } catch (error) {
      feed.fail(error as HoldfastError)
    } finally {
      this.#beginning -= 1
    }
  }

  leave(feed: ChangeFeed): void {
    this.#feeds.delete(feed)
    if (this.#feeds.size === 0) this.#timer?.clear()
  }

  end(error: HoldfastError): void {
    for (const feed of [...this.#feeds]) feed.fail(error)
  }

  #forget(): void {
    this.#fromXid = undefined
    this.#seenUntil = undefined
    this.#seen = new Set()
    this.#seenMs = this.#session.clock.nowMs()
  }

  #next(): void {
    this.#timer?.clear()
    if (this.#feeds.size === 0) return
    this.#timer = this.#session.clock.setTimer(() => void this.#again(), POLL_MS, { background: true })
  }

  async #again(): Promise<void> {
    try {
      await this.#look()
    } catch (error) {
      if (this.#session.clock.nowMs() - this.#seenMs > BLIND_MAX_MS) this.end(error as HoldfastError)
    }
    this.#next()
  }

  /** One after another: each begins where the one before has ended. */
  #look(): Promise<void> {
    const looking = (this.#looking ?? Promise.resolve()).catch(() => {}).then(() => this.#lookNow())
    this.#looking = looking
    return looking
  }

  async #lookNow(): Promise<void> {
    const { client, clock } = this.#session
    const askedMs = clock.nowMs()
    const rows = await client.query(this.#queries.changes, [this.#fromXid ?? null, this.#seenUntil ?? null], {
      call: 'watch',
      writes: false,
    })
    const [head = [], ...changed] = rows
    this.#tell(changed)
    this.#fromXid = head[1] ?? undefined
    this.#seenUntil = head[2] ?? undefined
    this.#seenMs = askedMs
  }

  #tell(changed: readonly SqlRow[]): void {
    const seen = new Set<string>()
    for (const [key, revision, how] of changed) {
      const found = `${how} ${revision} ${key}`
      seen.add(found)
      if (this.#seen.has(found)) continue
      for (const feed of this.#feeds) feed.changed(unescaped(key ?? ''))
    }
    this.#seen = seen
  }
}
