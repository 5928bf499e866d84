export type { SqliteDriver } from './drivers.ts'
export type { SqliteHandle, SqliteStatement } from './slice.ts'
export { type SqliteStorageOptions, sqliteStorage } from './storage.ts'
