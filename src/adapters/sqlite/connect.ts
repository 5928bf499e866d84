import { existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { asText, Connection } from './connection.ts'
import { loadDriver, type SqliteDriver } from './drivers.ts'
import { isFolder, isLocked, storageError, unavailable } from './errors.ts'
import { checkFiles } from './schema.ts'
import { isHandle, type OwnHandle, type SqliteHandle } from './slice.ts'

/** Loads the driver and returns what opens a connection to that path. */
export async function connectPath(path: string, driver: SqliteDriver | undefined): Promise<() => Connection> {
  const open = await loadDriver(driver)
  return () => {
    if (path !== ':memory:') checkFiles(path)
    return own(() => open(path), path)
  }
}

/** Opens, and sees to it that waiting for a lock never happens inside the driver. */
function own(open: () => OwnHandle, path: string): Connection {
  let handle: OwnHandle
  try {
    handle = open()
  } catch (error) {
    const folder = dirname(path)
    if (!existsSync(folder)) throw unavailable(path, `the folder ${folder} does not exist`, { cause: error })
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw isFolder(path, error)
    throw storageError(error, path)
  }
  const connection = new Connection(handle, path, handle)
  connection.exec('pragma busy_timeout = 0')
  return connection
}

/**
 * A connection of our own to the file that the handle has open, by the handle's own class: two copies of SQLite in one process would drop
 * each other's locks. The handle itself where that cannot be had.
 */
export function besideHandle(handle: SqliteHandle): Connection {
  const itself = new Connection(handle, 'the given SQLite handle')
  const path = fileOf(itself)
  const Database = handle.constructor as new (path: string) => unknown
  if (path === '') return itself
  let beside: Connection | undefined
  try {
    beside = own(() => {
      const opened = new Database(path)
      if (!isHandle(opened) || !('close' in opened)) throw new Error('no handle')
      return opened as OwnHandle
    }, path)
    // Fails where the file can be read through the handle only: encrypted, or a class of the user's that takes something else than a path.
    beside.prepare('pragma schema_version').get()
    if (fileOf(beside) === path) return beside
  } catch (error) {
    if (isLocked(error)) {
      beside?.close()
      throw error
    }
  }
  beside?.close()
  return itself
}

/** The main database's file; empty for one in memory. */
export function fileOf(connection: Connection): string {
  const main = connection
    .prepare('pragma database_list')
    .all()
    .find((row) => asText(row.name) === 'main')
  return main?.file === null || main?.file === undefined ? '' : asText(main.file)
}

/** Settings of a connection of ours, made once the store is known to be ours or new. */
export const ownSettings =
  (durability: 'full' | 'normal', isOwnFile: boolean) =>
  (connection: Connection): void => {
    if (isOwnFile) connection.exec('pragma journal_mode = wal')
    connection.exec(`pragma synchronous = ${durability}`)
    // macOS keeps an fsync in the drive's cache unless told so; elsewhere this does nothing.
    if (durability === 'full') connection.exec('pragma fullfsync = 1')
    // Ids in no order touch a page each: 16 MB of log between two checkpoints, and as much cache, write a page once for several of them.
    connection.exec('pragma wal_autocheckpoint = 4000; pragma cache_size = -16000')
    // The log shrinks to this after a burst.
    connection.exec('pragma journal_size_limit = 67108864')
  }
