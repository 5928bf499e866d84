import type { Clock } from '../../core/clock.ts'
import type { SqlRow, SqlText } from '../sql-shared/runner.ts'
import { aborted, notStarted } from '../storage-shared/refusals.ts'
import type { CallOptions, PgClient, PgConnection, PgStatement } from './client/client.ts'
import { corrupt, notMigrated } from './errors.ts'
import { VERSION } from './migrations/index.ts'
import type { Names } from './names.ts'
import { statement } from './statement.ts'

const SERVER_MIN = 130_000

export interface SessionOptions {
  readonly client: PgClient
  readonly names: Names
  readonly clock: Clock
  /** Which call or command creates the tables. */
  readonly how: string
}

/** What the ports of one storage share: the pool, the names, and what was found when the database was looked at. It holds no connection. */
export class PgSession {
  readonly client: PgClient
  readonly names: Names
  readonly clock: Clock
  /** Which call or command creates the tables. */
  readonly how: string
  #isFit = false

  constructor({ client, names, clock, how }: SessionOptions) {
    this.client = client
    this.names = names
    this.clock = clock
    this.how = how
  }

  /** Looks, once, whether the database is migrated and fit; writes nothing. */
  async inspect(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) throw aborted('open', signal)
    if (this.#isFit) return
    await this.look(signal)
    this.#isFit = true
  }

  /** Forgets what was found: the next `inspect` looks again. */
  forget(): void {
    this.#isFit = false
  }

  async look(signal?: AbortSignal): Promise<void> {
    const meta = this.names.of('meta')
    const look = statement(`select (select value from ${meta} where key = 'application'), (select value from ${meta} where key = 'schema'),
      current_setting('server_encoding'), current_setting('client_encoding'), current_setting('server_version_num')`)
    const [row] = await this.client.query(look, [], { call: 'open', writes: false, signal })
    const [application, schema, encoding, spoken, server] = row ?? []
    if (application !== 'holdfast') throw corrupt(`it has a table ${meta} that holdfast did not make`)
    const version = Number(schema)
    if (!Number.isSafeInteger(version) || version < 0) throw corrupt(`its schema version is ${schema ?? 'missing'}`)
    if (version > VERSION) throw corrupt(`a newer version of holdfast wrote it (schema ${version}, this one knows ${VERSION})`)
    if (version < VERSION) throw notMigrated(`schema ${version}, ${VERSION} is needed`, this.how)
    if (encoding !== 'UTF8') throw corrupt(`its encoding is ${encoding}, not UTF8`)
    if (spoken?.toUpperCase() !== 'UTF8' && spoken !== 'UNICODE') throw corrupt(`the connection's client_encoding is ${spoken}, not UTF8`)
    if (Number(server) < SERVER_MIN) throw corrupt(`the server is of version ${server}, 13 or later is needed`)
  }
}

/** One port's view of the session: whether that port is open. */
export class PgPort {
  readonly session: PgSession
  #isOpen = false

  constructor(session: PgSession) {
    this.session = session
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  async open(signal?: AbortSignal): Promise<void> {
    await this.session.inspect(signal)
    this.#isOpen = true
  }

  close(): void {
    this.#isOpen = false
  }

  /** Refuses what is asked of a port that is not open, or by a caller who has gone. */
  check(call: string, signal: AbortSignal | undefined): void {
    if (signal?.aborted) throw aborted(call, signal)
    if (!this.#isOpen) throw notStarted('PostgreSQL')
  }

  async query(what: PgStatement, values: readonly SqlText[], options: CallOptions): Promise<readonly SqlRow[]> {
    this.check(options.call, options.signal)
    return await this.session.client.query(what, values, options)
  }

  async transaction<T>(work: (connection: PgConnection) => Promise<T>, options: CallOptions): Promise<T> {
    this.check(options.call, options.signal)
    return await this.session.client.transaction(work, options)
  }
}
