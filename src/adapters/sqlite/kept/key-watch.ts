import { type HoldfastError, refusal } from '../../../core/errors.ts'
import type { KeyChange } from '../../../ports/key-value.ts'
import { ChangeFeed } from '../../kv-shared/change-feed.ts'
import { refusedPrefix } from '../../kv-shared/checks.ts'
import { notStarted } from '../../storage-shared/refusals.ts'
import { asNumber, asText } from '../connection.ts'
import { isLocked } from '../errors.ts'
import type { Opened, Session } from '../session.ts'
import { counterIn } from './statements.ts'
import { dropEnded, entryOf, find } from './values.ts'

/** How often keys whose time is over are looked for: they are to be told of within a second. */
const ENDED_MS = 250
const READ_MAX = 1_000

interface Watcher {
  readonly feed: ChangeFeed
  /** The last revision before it was made; undefined until that could be read. */
  from: number | undefined
}

/** Tells those who watch of the keys that have changed: one look for all of them, and none while there are none. */
export class KeyWatch {
  readonly #session: Session
  readonly #watchers = new Set<Watcher>()
  #seen = 0
  #running = false

  constructor(session: Session) {
    this.#session = session
    session.beforeClose(() => this.#failAll(notStarted('SQLite')))
  }

  feed(prefix: string, signal: AbortSignal | undefined): AsyncIterable<KeyChange> {
    const watcher: Watcher = {
      feed: new ChangeFeed(prefix, signal, {
        batch: 100,
        read: (keys) => this.#session.read('watch', ({ kept }) => keys.map((key) => this.#entry(kept, key))),
        left: () => this.#left(watcher),
      }),
      from: undefined,
    }
    const refused = this.#session.isOpen ? refusedPrefix(prefix) : notStarted('SQLite')
    if (refused !== undefined) watcher.feed.fail(refused)
    if (watcher.feed.over) return watcher.feed
    this.#watchers.add(watcher)
    this.#begin(watcher).catch((error: HoldfastError) => watcher.feed.fail(error))
    return watcher.feed
  }

  /** The read is made at once where the database is not locked: what changes after `watch` was called is told. */
  async #begin(watcher: Watcher): Promise<void> {
    watcher.from = await this.#session.read('watch', ({ kept }) => counterIn(kept, 'revision'))
    if (this.#running || this.#watchers.size === 0) return
    this.#running = true
    this.#seen = watcher.from
    try {
      await this.#run()
    } catch (error) {
      this.#failAll(error as HoldfastError)
    } finally {
      this.#running = false
    }
  }

  async #run(): Promise<void> {
    while (this.#watchers.size > 0) {
      const since = this.#session.changes.mark()
      const isMore = await this.#look()
      if (!isMore && this.#watchers.size > 0) await this.#session.changes.wait({ since, maxMs: ENDED_MS })
    }
  }

  /** Whether there is more to be read at once. */
  async #look(): Promise<boolean> {
    const { rows, isEnded } = await this.#session.read('watch', (opened) => this.#changed(opened))
    for (const row of rows) {
      const revision = asNumber(row.revision)
      this.#seen = revision
      for (const { feed, from } of this.#watchers) if (from !== undefined && revision > from) feed.changed(asText(row.key))
    }
    if (isEnded) await this.#dropEnded()
    return isEnded || rows.length >= READ_MAX
  }

  #changed({ kept }: Opened) {
    if (counterIn(kept, 'revision_gone') > this.#seen) throw overslept()
    const rows = kept.changedKeys.all(this.#seen, this.#seen, READ_MAX)
    return { rows, isEnded: kept.endedValues.get(this.#session.clock.epochMs(), 1) !== undefined }
  }

  /** So that keys whose time is over become changes as others are, for the watchers of every process. */
  async #dropEnded(): Promise<void> {
    try {
      await this.#session.write('watch', ({ kept }) => dropEnded(kept, this.#session.clock.epochMs(), 100))
    } catch (error) {
      // Somebody holds the write lock: they are told of when it is free.
      if (!isLocked(error)) throw error
    }
  }

  #entry(kept: Opened['kept'], key: string) {
    const nowMs = this.#session.clock.epochMs()
    const found = find(kept, key, nowMs)
    return found === undefined ? undefined : entryOf(found, nowMs)
  }

  #left(watcher: Watcher): void {
    this.#watchers.delete(watcher)
    // The loop ends with the last one.
    if (this.#watchers.size === 0) this.#session.changes.ring()
  }

  #failAll(error: HoldfastError): void {
    for (const { feed } of [...this.#watchers]) feed.fail(error)
  }
}

const overslept = (): HoldfastError =>
  refusal('QUEUE_FULL', 'watch: nothing was read for an hour, and keys that went meanwhile are no longer known; list them, and watch again')
