import type { Clock } from '../../core/clock.ts'
import type { SqlRow, SqlText } from '../sql-shared/runner.ts'
import { aborted, notStarted } from '../storage-shared/refusals.ts'
import type { CallOptions, PgClient, PgConnection, PgStatement } from './client/client.ts'
import { corrupt, notMigrated } from './errors.ts'
import { VERSION } from './migrations/index.ts'
import type { Names } from './names.ts'
import { statement } from './statement.ts'

const SERVER_MIN = 120_000

export interface SessionOptions {
  readonly client: PgClient
  readonly names: Names
  readonly clock: Clock
  /** Which call or command creates the tables. */
  readonly how: string
}

/** What the ports of one storage share: the pool, the names, and whether it is open. It holds no connection of its own. */
export class PgSession {
  readonly client: PgClient
  readonly names: Names
  readonly clock: Clock
  readonly #how: string
  readonly #closers: (() => Promise<void>)[] = []
  readonly #openers: (() => Promise<void>)[] = []
  #opening: Promise<void> | undefined
  #closing: Promise<void> | undefined
  #open = false

  constructor({ client, names, clock, how }: SessionOptions) {
    this.client = client
    this.names = names
    this.clock = clock
    this.#how = how
  }

  get isOpen(): boolean {
    return this.#open
  }

  /** What a port begins after the database was found fit, and ends before the session is closed. */
  attach(opener: () => Promise<void>, closer: () => Promise<void>): void {
    this.#openers.push(opener)
    this.#closers.push(closer)
  }

  /** Looks whether the database is migrated and fit; writes nothing. */
  async open(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) throw aborted('open', signal)
    await this.#closing
    if (this.#open) return
    // Each caller looks under its own signal; what is begun then is begun once.
    await this.#inspect(signal)
    if (this.#open) return
    this.#opening ??= this.#begin().finally(() => {
      this.#opening = undefined
    })
    await this.#opening
  }

  async #begin(): Promise<void> {
    for (const opener of this.#openers) await opener()
    this.#open = true
  }

  async #inspect(signal: AbortSignal | undefined): Promise<void> {
    const meta = this.names.of('meta')
    const look = statement(`select (select value from ${meta} where key = 'application'), (select value from ${meta} where key = 'schema'),
      current_setting('server_encoding'), current_setting('client_encoding'), current_setting('server_version_num')`)
    const [row] = await this.client.query(look, [], { call: 'open', writes: false, signal })
    const [application, schema, encoding, spoken, server] = row ?? []
    if (application !== 'holdfast') throw corrupt(`it has a table ${meta} that holdfast did not make`)
    const version = Number(schema)
    if (!Number.isSafeInteger(version) || version < 0) throw corrupt(`its schema version is ${schema ?? 'missing'}`)
    if (version > VERSION) throw corrupt(`a newer version of holdfast wrote it (schema ${version}, this one knows ${VERSION})`)
    if (version < VERSION) throw notMigrated(`schema ${version}, ${VERSION} is needed`, this.#how)
    if (encoding !== 'UTF8') throw corrupt(`its encoding is ${encoding}, not UTF8`)
    if (spoken?.toUpperCase() !== 'UTF8' && spoken !== 'UNICODE') throw corrupt(`the connection's client_encoding is ${spoken}, not UTF8`)
    if (Number(server) < SERVER_MIN) throw corrupt(`the server is of version ${server}, 12 or later is needed`)
  }

  /** Refuses what is asked of a storage that is not open, or by a caller who has gone. */
  check(call: string, signal: AbortSignal | undefined): void {
    if (!this.#open) throw notStarted('PostgreSQL')
    if (signal?.aborted) throw aborted(call, signal)
  }

  async statement(what: PgStatement, values: readonly SqlText[], options: CallOptions): Promise<readonly SqlRow[]> {
    this.check(options.call, options.signal)
    return await this.client.query(what, values, options)
  }

  async transaction<T>(work: (connection: PgConnection) => Promise<T>, options: CallOptions): Promise<T> {
    this.check(options.call, options.signal)
    return await this.client.transaction(work, options)
  }

  /** After what is in flight has been answered. */
  async close(): Promise<void> {
    await this.#opening?.catch(() => {})
    if (!this.#open) return
    this.#closing ??= this.#end().finally(() => {
      this.#closing = undefined
    })
    await this.#closing
  }

  async #end(): Promise<void> {
    this.#open = false
    for (const closer of this.#closers) await closer()
  }
}
