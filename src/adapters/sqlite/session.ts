import type { Clock } from '../../core/clock.ts'
import type { PartHealth } from '../../ports/part.ts'
import { aborted, notStarted } from '../storage-shared/refusals.ts'
import { Changes } from './changes.ts'
import { asNumber, type Connection } from './connection.ts'
import { type LogStatements, prepareLog } from './events/statements.ts'
import { type KeptStatements, prepareKept } from './kept/statements.ts'
import { Lane } from './lane.ts'
import { VERSION } from './migrations.ts'
import { prepareQueries, type Queries } from './queries.ts'
import { inspect, migrate } from './schema.ts'

/** What a call works on while the storage is open. */
export interface Opened {
  readonly connection: Connection
  /** Of sagas. */
  readonly queries: Queries
  /** Of events. */
  readonly log: LogStatements
  /** Of keys, names, hints and checkpoints. */
  readonly kept: KeptStatements
}

const opened = (connection: Connection): Opened => ({
  connection,
  queries: prepareQueries(connection),
  log: prepareLog(connection),
  kept: prepareKept(connection),
})

export interface SessionOptions {
  readonly place: string
  /** Finds the driver; resolves to what opens a connection. */
  readonly connector: () => Promise<() => Connection>
  /** Settings of a connection that is ours, once the store is known to be. */
  readonly configure: (connection: Connection) => void
  readonly clock: Clock
  readonly lockedMaxMs: number
  readonly checkedMaxBytes: number
  /** How often changes by other connections are looked for, while somebody waits for some. */
  readonly pollMs: number
}

/** The one connection of a storage, from `open` to `close`, and the waiting for it. */
export class Session {
  readonly #options: SessionOptions
  readonly #writes: Lane
  /** Apart from the writes: readers of a log (WAL) wait for nobody. */
  readonly #reads: Lane
  #opened: Opened | undefined
  /** A connection on the way to being opened, kept while the database is locked, and whether it was found fit. */
  #opening: { readonly connection: Connection; isFit: boolean } | undefined
  #closing: Promise<void> | undefined
  readonly changes: Changes
  /** What follows an opening. */
  readonly #beginning: (() => Promise<void>)[] = []
  /** What has to come to its end before the connection is closed. */
  readonly #ending: (() => void | Promise<void>)[] = []

  constructor(options: SessionOptions) {
    this.#options = options
    this.#writes = new Lane(options.clock, options.place, options.lockedMaxMs)
    this.#reads = new Lane(options.clock, options.place, options.lockedMaxMs)
    this.changes = new Changes(options.clock, options.pollMs, () => this.#version())
  }

  get clock(): Clock {
    return this.#options.clock
  }

  get place(): string {
    return this.#options.place
  }

  get isOpen(): boolean {
    return this.#opened !== undefined && this.#closing === undefined
  }

  /** @throws {HoldfastError} `NOT_STARTED` (effect none). */
  get opened(): Opened {
    if (this.#opened === undefined || this.#closing !== undefined) throw notStarted('SQLite')
    return this.#opened
  }

  /** Called at each opening, when the connection is there. */
  afterOpen(begin: () => Promise<void>): void {
    this.#beginning.push(begin)
  }

  /** Called at each closing, while the connection is still there. */
  beforeClose(end: () => void | Promise<void>): void {
    this.#ending.push(end)
  }

  async open(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) throw aborted('open', signal)
    await this.#closing
    if (this.#opened !== undefined) return
    const connect = await this.#options.connector()
    try {
      await this.#writes.run('open', () => this.#open(connect), signal)
    } catch (error) {
      this.#opening?.connection.close()
      this.#opening = undefined
      throw error
    }
    for (const begin of this.#beginning) await begin()
  }

  #open(connect: () => Connection): void {
    if (this.#opened !== undefined) return
    this.#opening ??= { connection: connect(), isFit: false }
    const { connection, isFit } = this.#opening
    // Once: it takes as long as the file is large, and what follows is tried again and again while others write.
    if (!isFit) this.#inspect(connection)
    this.#opening.isFit = true
    if (connection.isOwn) this.#options.configure(connection)
    migrate(connection)
    this.#opened = opened(connection)
    this.changes.open()
    this.#opening = undefined
  }

  #inspect(connection: Connection): void {
    const version = inspect(connection, this.#options.checkedMaxBytes)
    // Tables of our names and mark with other columns are refused here, before anything is written.
    if (version > 0) prepareQueries(connection)
    if (version === VERSION) opened(connection)
  }

  async write<T>(call: string, work: (opened: Opened) => T, signal?: AbortSignal): Promise<T> {
    return this.#run(this.#writes, call, (opened) => opened.connection.write(() => work(opened)), signal)
  }

  async read<T>(call: string, work: (opened: Opened) => T, signal?: AbortSignal): Promise<T> {
    return this.#run(this.#reads, call, (opened) => opened.connection.read(() => work(opened)), signal)
  }

  /**
   * Work that begins its transactions itself, for as long as it takes, also while the storage is closing. What it throws as `STORAGE_LOCKED` is
   * tried again.
   */
  async attempt(call: string, work: (opened: Opened) => void): Promise<void> {
    return this.#writes.run(call, () => work(this.#current()), undefined, true)
  }

  async #run<T>(lane: Lane, call: string, work: (opened: Opened) => T, signal: AbortSignal | undefined): Promise<T> {
    if (signal?.aborted) throw aborted(call, signal)
    if (this.#closing !== undefined) throw notStarted('SQLite')
    return lane.run(call, () => work(this.#current()), signal)
  }

  #current(): Opened {
    if (this.#opened === undefined) throw notStarted('SQLite')
    return this.#opened
  }

  async health(): Promise<PartHealth> {
    const down = (reason: string): PartHealth => ({ status: 'down', reason })
    if (this.#opened === undefined) return down('the SQLite storage is not open')
    try {
      await this.read('health', ({ queries }) => queries.epoch.get(0))
      return { status: 'ok' }
    } catch (error) {
      return down(error instanceof Error ? error.message : String(error))
    }
  }

  /** After those who wait have been answered. */
  async close(): Promise<void> {
    if (this.#opened === undefined) return
    this.#closing ??= this.#end().finally(() => {
      this.#closing = undefined
    })
    await this.#closing
  }

  async #end(): Promise<void> {
    this.changes.close()
    for (const end of this.#ending) await end()
    await this.#reads.run('close', () => {}, undefined, true)
    await this.#writes.run(
      'close',
      () => {
        const connection = this.#opened?.connection
        this.#opened = undefined
        connection?.close()
      },
      undefined,
      true,
    )
  }

  /** Another number after each commit of another connection; on a handle that its owner uses too, after each of its own as well. */
  #version(): number | undefined {
    if (this.#opened === undefined) return undefined
    const { connection, kept } = this.#opened
    try {
      const version = asNumber(kept.dataVersion.get()?.data_version)
      return connection.isOwn ? version : version + asNumber(kept.totalChanges.get()?.n)
    } catch {
      // Locked, or closed by its owner: whoever reads next is told.
      return undefined
    }
  }
}
