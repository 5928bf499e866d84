import { appendFunction, joinFunction } from '../events/sql/append.ts'
import { eventLocks } from '../events/sql/locks.ts'
import { logFunctions } from '../events/sql/log.ts'
import { upkeepFunctions } from '../events/sql/upkeep.ts'
import type { Migration } from './migration.ts'

/** What is decided and written in one round trip. */
export const eventFunctions: Migration = {
  version: 3,
  name: 'events: functions',
  sql: (names) =>
    `${eventLocks(names.of, names.place)}${logFunctions(names)}${upkeepFunctions(names)}${appendFunction(names)}${joinFunction(names)}`,
}
