import type { PartHealth } from '../../ports/part.ts'
import type { PgSession } from './session.ts'
import { statement } from './statement.ts'

/** How a PostgreSQL storage is, in numbers. */
export interface PostgresStats {
  /** The version of its tables. */
  readonly schemaVersion: number
  /**
   * How long the oldest snapshot of the database has been open, in milliseconds; 0 where there is none. A long one, of whatever program, keeps
   * the server from removing old rows: nothing is skipped or blocked by it, but everything becomes slower.
   */
  readonly oldestSnapshotMs: number
  /** Processes that hold shards of sagas. */
  readonly shardOwners: number
  /** Names that are held in `lease`. */
  readonly leasesHeld: number
}

/** From when on a snapshot is worth a word in `health()`: ten minutes. */
const SNAPSHOT_LONG_MS = 600_000

export async function statsOf(session: PgSession): Promise<PostgresStats> {
  const { names, client } = session
  const look = statement(`select (select value from ${names.of('meta')} where key = 'schema'),
    (select coalesce(max(extract(epoch from clock_timestamp() - xact_start) * 1000), 0)::float8::text from pg_stat_activity
      where datname = current_database() and backend_xmin is not null and pid <> pg_backend_pid()),
    (select count(distinct owner)::text from ${names.of('saga_lease')} where owner is not null and until > clock_timestamp()),
    (select count(*)::text from ${names.of('lease')} where owner is not null and until > clock_timestamp())`)
  const [row = []] = await client.query(look, [], { call: 'stats', writes: false })
  const [schemaVersion, oldestSnapshotMs, shardOwners, leasesHeld] = row.map(Number)
  return {
    schemaVersion: schemaVersion ?? 0,
    oldestSnapshotMs: Math.max(0, oldestSnapshotMs ?? 0),
    shardOwners: shardOwners ?? 0,
    leasesHeld: leasesHeld ?? 0,
  }
}

/** `down` where it cannot be reached or is not migrated; `degraded` while a snapshot is open for ten minutes. Never rejects. */
export async function healthOf(session: PgSession): Promise<PartHealth> {
  try {
    await session.look()
    const { oldestSnapshotMs } = await statsOf(session)
    if (oldestSnapshotMs < SNAPSHOT_LONG_MS) return { status: 'ok' }
    const minutes = Math.floor(oldestSnapshotMs / 60_000)
    return { status: 'degraded', reason: `a transaction has been open in the database for ${minutes} minutes: old rows cannot be removed` }
  } catch (error) {
    return { status: 'down', reason: error instanceof Error ? error.message : String(error) }
  }
}
