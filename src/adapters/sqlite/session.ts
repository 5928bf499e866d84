import type { Clock } from '../../core/clock.ts'
import type { PartHealth } from '../../ports/part.ts'
import { aborted, notStarted } from '../storage-shared/refusals.ts'
import type { Connection } from './connection.ts'
import { Lane } from './lane.ts'
import { prepareQueries, type Queries } from './queries.ts'
import { inspect, migrate, VERSION } from './schema.ts'

/** What a call works on while the storage is open. */
export interface Opened {
  readonly connection: Connection
  readonly queries: Queries
}

export interface SessionOptions {
  readonly place: string
  /** Finds the driver; resolves to what opens a connection. */
  readonly connector: () => Promise<() => Connection>
  /** Settings of a connection that is ours, once the store is known to be. */
  readonly configure: (connection: Connection) => void
  readonly clock: Clock
  readonly lockedMaxMs: number
  readonly checkedMaxBytes: number
}

/** The one connection of a storage, from `open` to `close`, and the waiting for it. */
export class Session {
  readonly #options: SessionOptions
  readonly #writes: Lane
  /** Apart from the writes: readers of a log (WAL) wait for nobody. */
  readonly #reads: Lane
  #opened: Opened | undefined
  /** A connection on the way to being opened, kept while the database is locked. */
  #opening: Connection | undefined
  #closing: Promise<void> | undefined

  constructor(options: SessionOptions) {
    this.#options = options
    this.#writes = new Lane(options.clock, options.place, options.lockedMaxMs)
    this.#reads = new Lane(options.clock, options.place, options.lockedMaxMs)
  }

  async open(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) throw aborted('open', signal)
    await this.#closing
    if (this.#opened !== undefined) return
    const connect = await this.#options.connector()
    try {
      await this.#writes.run('open', () => this.#open(connect), signal)
    } catch (error) {
      this.#opening?.close()
      this.#opening = undefined
      throw error
    }
  }

  #open(connect: () => Connection): void {
    if (this.#opened !== undefined) return
    this.#opening ??= connect()
    const connection = this.#opening
    const version = inspect(connection, this.#options.checkedMaxBytes)
    // Tables of our names and mark with other columns are refused here, before anything is written.
    if (version === VERSION) prepareQueries(connection)
    if (connection.isOwn) this.#options.configure(connection)
    migrate(connection)
    this.#opened = { connection, queries: prepareQueries(connection) }
    this.#opening = undefined
  }

  async write<T>(call: string, work: (opened: Opened) => T, signal?: AbortSignal): Promise<T> {
    return this.#run(this.#writes, call, (opened) => opened.connection.write(() => work(opened)), signal)
  }

  async read<T>(call: string, work: (opened: Opened) => T, signal?: AbortSignal): Promise<T> {
    return this.#run(this.#reads, call, (opened) => opened.connection.read(() => work(opened)), signal)
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
}
