import type { Clock } from '../../../core/clock.ts'
import type { PgClient, PgConnection } from '../client/client.ts'
import { corrupt, stateOf } from '../errors.ts'
import type { Names } from '../names.ts'
import { migrationSteps } from './sql.ts'

const LOCK_MAX_MS = 5_000
const ATTEMPTS = 24
const PAUSE_MS = 250

/** 55P03: another process migrates, or somebody holds a table. 40P01: likewise. */
const WORTH_WAITING = new Set(['55P03', '40P01', '40001'])
const OURS: readonly (string | undefined)[] = ['HF001', 'HF002']

/**
 * Creates or upgrades the tables, in one transaction. Any number of processes may do so at once: one works, the others wait and find it
 * done. No lock is waited for longer than some seconds at a time, so that others are not held up behind it.
 */
export async function migrate(client: PgClient, names: Names, clock: Clock): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await migrateOnce(client, names)
      return
    } catch (error) {
      const state = stateOf(error)
      if (OURS.includes(state)) throw corrupt((error as { readonly details: { readonly reason: string } }).details.reason)
      if (!WORTH_WAITING.has(state ?? '') || attempt === ATTEMPTS) throw error
      await new Promise<void>((resolve) => void clock.setTimer(resolve, PAUSE_MS))
    }
  }
}

function migrateOnce(client: PgClient, names: Names): Promise<void> {
  const work = async (connection: PgConnection): Promise<void> => {
    await connection.script(
      `set local lock_timeout = ${LOCK_MAX_MS}; set local statement_timeout = 0; set local client_min_messages = warning`,
    )
    await connection.script(migrationSteps(names))
  }
  return client.transaction(work, { call: 'migrate', writes: true })
}
