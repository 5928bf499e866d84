import type { Clock } from '../../../core/clock.ts'
import type { PgClient, PgConnection } from '../client/client.ts'
import { corrupt, stateOf } from '../errors.ts'
import type { Names } from '../names.ts'
import { VERSION } from './index.ts'
import { migrationSteps, preparation } from './sql.ts'

const LOCK_MAX_MS = 5_000
const ATTEMPTS = 24
const PAUSE_MS = 250

/** 55P03: another process migrates, or somebody holds a table. 40P01: likewise. */
const WORTH_WAITING = new Set(['55P03', '40P01', '40001'])
const OURS: readonly (string | undefined)[] = ['HF001', 'HF002']

/** What a migration found, and left. */
export interface Migrated {
  /** The version of the tables that were there; 0 where there were none. Equal to `to` where there was nothing to do. */
  readonly from: number
  /** The version that is there now. */
  readonly to: number
}

/**
 * Creates or upgrades the tables, in one transaction. Any number of processes may do so at once: one works, the others wait and find it
 * done. No lock is waited for longer than some seconds at a time, so that others are not held up behind it.
 */
export async function migrate(client: PgClient, names: Names, clock: Clock): Promise<Migrated> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await migrateOnce(client, names)
    } catch (error) {
      const state = stateOf(error)
      if (OURS.includes(state)) throw corrupt((error as { readonly details: { readonly reason: string } }).details.reason)
      if (!WORTH_WAITING.has(state ?? '') || attempt === ATTEMPTS) throw error
      await new Promise<void>((resolve) => void clock.setTimer(resolve, PAUSE_MS))
    }
  }
}

function migrateOnce(client: PgClient, names: Names): Promise<Migrated> {
  const work = async (connection: PgConnection): Promise<Migrated> => {
    await connection.script(
      `set local lock_timeout = ${LOCK_MAX_MS}; set local statement_timeout = 0; set local client_min_messages = warning`,
    )
    await connection.script(preparation(names))
    const [row] = await connection.query(`select value from ${names.of('meta')} where key = 'schema'`, [])
    await connection.script(migrationSteps(names))
    return { from: Number(row?.[0]), to: VERSION }
  }
  return client.transaction(work, { call: 'migrate', writes: true, unbounded: true })
}
