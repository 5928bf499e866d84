import { base } from './0001-base.ts'
import { eventTables } from './0002-event-tables.ts'
import { eventFunctions } from './0003-event-functions.ts'
import { appendOne } from './0004-append-one.ts'
import type { Migration } from './migration.ts'

/** In order. A new one is a file of its own, `0002-….ts`, and one line here. */
export const migrations: readonly Migration[] = [base, eventTables, eventFunctions, appendOne]

/** What this version of holdfast needs, and writes. */
export const VERSION = migrations.length
