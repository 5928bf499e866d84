import type { Names } from '../names.ts'

/**
 * One step of the schema: tables, and functions (`create function`; a changed one is replaced by a later step, under a new name where its
 * parameters change, since an older process may still call it). What has been released is never changed: a later one adds to it. All that are missing run in one transaction, each
 * as one text, so nothing in it may need a transaction of its own (`create index concurrently`).
 */
export interface Migration {
  /** 1, 2, 3 … */
  readonly version: number
  /** What it brings, for people. */
  readonly name: string
  readonly sql: (names: Names) => string
}
