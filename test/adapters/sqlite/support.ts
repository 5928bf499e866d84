// Databases in folders of their own, and the ways to hand one to sqliteStorage.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type SqliteHandle, type SqliteStorage, type SqliteStorageOptions, sqliteStorage } from '../../../src/adapters/sqlite/index.ts'

import { loadDriver } from '../../support/services.ts'

export type Driver = 'libsql' | 'better-sqlite3' | 'node:sqlite'
export const drivers: readonly Driver[] = ['libsql', 'better-sqlite3', 'node:sqlite']

type Values = (string | number | null)[]

export interface Handle extends SqliteHandle {
  prepare(sql: string): { run(...values: Values): unknown; get(...values: Values): unknown; all(...values: Values): unknown[] }
  close(): unknown
}

/** A handle as a user opens one. */
export function openHandle(driver: Driver, path: string): Handle {
  const module = loadDriver<unknown>(driver)
  const Database = (driver === 'node:sqlite' ? (module as { DatabaseSync: unknown }).DatabaseSync : module) as new (path: string) => Handle
  return new Database(path)
}

export interface Folder {
  readonly path: (name: string) => string
  readonly remove: () => void
}

export function folder(): Folder {
  const at = mkdtempSync(join(tmpdir(), 'holdfast-sqlite-'))
  return { path: (name) => join(at, name), remove: () => rmSync(at, { recursive: true, force: true }) }
}

/** Runs the body in a folder that is removed afterwards. */
export async function inFolder<T>(body: (path: (name: string) => string) => T | Promise<T>): Promise<T> {
  const { path, remove } = folder()
  try {
    return await body(path)
  } finally {
    remove()
  }
}

/** Opens a storage, runs the body, closes it. */
export async function withStorage<T>(
  database: string | SqliteHandle,
  options: SqliteStorageOptions,
  body: (storage: SqliteStorage) => Promise<T>,
): Promise<T> {
  const storage = sqliteStorage(database, options)
  await storage.open()
  try {
    return await body(storage)
  } finally {
    await storage.close()
  }
}
