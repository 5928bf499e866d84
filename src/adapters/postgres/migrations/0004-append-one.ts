import { appendOneFunction } from '../events/sql/append-one.ts'
import type { Migration } from './migration.ts'

/** A short way for what comes alone. */
export const appendOne: Migration = {
  version: 4,
  name: 'events: an append that comes alone',
  sql: appendOneFunction,
}
