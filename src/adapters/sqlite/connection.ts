import { show } from '../../core/options.ts'
import { corrupt, storageError, unavailable } from './errors.ts'
import type { OwnHandle, SqliteHandle } from './slice.ts'

export type Value = string | number | null
export type Row = Readonly<Record<string, unknown>>

/** A prepared statement that gives and takes the same for every driver. */
export interface Prepared {
  run(...values: Value[]): void
  get(...values: Value[]): Row | undefined
  all(...values: Value[]): readonly Row[]
}

/**
 * One connection, whatever the driver: values are checked before they are bound, errors are ours. Transactions are synchronous, so that
 * nothing of this process comes between their statements.
 */
export class Connection {
  readonly place: string
  readonly #handle: SqliteHandle
  readonly #own: OwnHandle | undefined

  /** `own`: the same handle, where we opened it and may close it. */
  constructor(handle: SqliteHandle, place: string, own?: OwnHandle) {
    this.#handle = handle
    this.#own = own
    this.place = place
  }

  get isOwn(): boolean {
    return this.#own !== undefined
  }

  isOf(handle: SqliteHandle): boolean {
    return this.#handle === handle
  }

  exec(sql: string): void {
    this.#guard(() => this.#handle.exec(sql))
  }

  prepare(sql: string): Prepared {
    const statement = this.#guard(() => this.#handle.prepare(sql))
    return {
      run: (...values) => void this.#guard(() => statement.run(...this.#bound(values))),
      get: (...values) => (this.#guard(() => statement.get(...this.#bound(values))) ?? undefined) as Row | undefined,
      all: (...values) => this.#guard(() => statement.all(...this.#bound(values))) as readonly Row[],
    }
  }

  /** All or nothing, under the write lock from the start: a deferred transaction that has read can no longer get it. */
  write<T>(work: () => T): T {
    return this.#transaction('BEGIN IMMEDIATE', work)
  }

  /** One snapshot for several reads, and never inside a transaction of the handle's owner. */
  read<T>(work: () => T): T {
    return this.#transaction('BEGIN', work)
  }

  #transaction<T>(begin: string, work: () => T): T {
    this.exec(begin)
    let committing = false
    try {
      const value = work()
      committing = true
      this.#handle.exec('COMMIT')
      return value
    } catch (error) {
      this.#rollback()
      throw storageError(error, this.place, committing)
    }
  }

  #rollback(): void {
    try {
      this.#handle.exec('ROLLBACK')
    } catch {
      // SQLite has rolled back by itself, as it does when the disk is full.
    }
  }

  close(): void {
    if (this.#own === undefined) return
    try {
      // libsql keeps a closed connection until its statements are collected, so that closing alone would leave everything in the log.
      this.#own.exec('pragma wal_checkpoint(truncate)')
    } catch {
      // Others are at work, or the file cannot be written: what is committed is in the log.
    }
    this.#own.close()
  }

  /** libsql ends the process for a boolean and rounds large integers silently, so no such value reaches a driver. */
  #bound(values: Value[]): never[] {
    for (const value of values) {
      if (value === null || typeof value === 'string' || (typeof value === 'number' && Number.isFinite(value))) continue
      throw unavailable(this.place, `${show(value)} cannot be bound`, { retry: 'never' })
    }
    return values as never[]
  }

  #guard<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw storageError(error, this.place)
    }
  }
}

/** A column's number: bigint where the handle was told to give those. */
export const asNumber = (value: unknown): number => Number(value)

/** A column's text, which is given as bytes where it holds a NUL: two of the three drivers end a text there. */
export function asText(value: unknown): string {
  if (typeof value === 'string') return value
  if (value instanceof ArrayBuffer) return Buffer.from(value).toString('utf8')
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8')
  return String(value)
}

/** The value of a row that every database of ours has. @throws {HoldfastError} `STORAGE_CORRUPT` where it is not there. */
export function kept({ place }: Connection, row: Row | undefined, what: string): unknown {
  if (row === undefined) throw corrupt(place, `${what} is missing`)
  return row.value
}

/** Selects text columns so that `asText` reads them whole. */
export const texts = (...columns: readonly string[]): string =>
  columns.map((column) => `iif(instr(${column}, char(0)) > 0, cast(${column} as blob), ${column}) as ${column}`).join(', ')
