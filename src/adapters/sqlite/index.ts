export type { SqliteDriver } from './drivers.ts'
export type { SqliteHandle, SqliteStatement } from './slice.ts'
export { type SqliteStorage, type SqliteStorageOptions, sqliteStorage } from './storage.ts'
export { type SqliteTransactionsOptions, sqliteTransactions } from './transactions.ts'
