import type { Clock } from '../../core/clock.ts'
import { checkOptions } from '../../core/options.ts'
import { clock, durationMs, flag } from '../../core/rules.ts'
import type { Storage } from '../../ports/storage.ts'
import { clientOf } from './client/detect.ts'
import type { PgPool } from './client/pg-client.ts'
import type { PostgresJs } from './client/postgres-js-raw.ts'
import { PgJournal } from './journal/journal.ts'
import { migrate } from './migrations/migrate.ts'
import { namesOf, type Place } from './names.ts'
import { type PlaceOptions, placeOf, placeRules } from './options.ts'
import { PgSession } from './session.ts'

export interface PostgresStorageOptions extends PlaceOptions {
  /** Whether statements are prepared once per connection; default true. False behind a pooler in transaction mode (PgBouncer before 1.21). */
  readonly preparedStatements?: boolean
  /** How long a call waits for a connection of the pool, in milliseconds, 1 to 10 minutes; default 10,000. */
  readonly connectMaxMs?: number
  /**
   * How long to go on asking what became of a batch whose connection was lost, before its answer is an error with effect unknown; in
   * milliseconds, 0 to 10 minutes; default 10,000.
   */
  readonly settleMaxMs?: number
  /** What waiting is timed by; leases and expiry are the server's. Default: the process's clock. */
  readonly clock?: Clock
}

const rules = {
  ...placeRules,
  preparedStatements: flag(true),
  connectMaxMs: durationMs({ min: 1, max: 600_000, default: 10_000 }),
  settleMaxMs: durationMs({ max: 600_000, default: 10_000 }),
  clock,
}

export function postgresStorage(pool: PgPool | PostgresJs, options?: PostgresStorageOptions): Storage {
  const read = checkOptions('postgresStorage', options, rules)
  const place = placeOf(read)
  const names = namesOf(place)
  const how = howToMigrate(place)
  const client = clientOf('postgresStorage', pool, { ...read, how })
  const session = new PgSession({ client, names, clock: read.clock, how })
  return {
    engine: 'postgres',
    ports: ['sagaJournal'],
    sagaJournal: new PgJournal(session, read.settleMaxMs),
    open: (signal) => session.open(signal),
    migrate: () => migrate(client, names, read.clock),
    health: async () => ({ status: 'ok' }),
    close: () => session.close(),
  }
}

function howToMigrate({ schema, prefix }: Place): string {
  const given = [
    ...(schema === 'holdfast' ? [] : [`schema: ${JSON.stringify(schema)}`]),
    ...(prefix === '' ? [] : [`prefix: ${JSON.stringify(prefix)}`]),
  ]
  return `call migrate() of the storage once, or run the SQL of migrationSql(${given.length === 0 ? '' : `{ ${given.join(', ')} }`})`
}
