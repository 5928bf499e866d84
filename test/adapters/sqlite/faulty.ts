// A handle that can be told to fail as an engine does, and that remembers what it was asked.
import type { SqliteHandle, SqliteStatement } from '../../../src/adapters/sqlite/index.ts'
import { type Driver, type Handle, openHandle } from './support.ts'

export interface Faulty extends SqliteHandle {
  readonly handle: Handle
  /** What was executed, in order: transactions and settings. */
  readonly executed: string[]
  /** Throws what it returns instead of executing, or after having executed. */
  before: (sql: string, values: readonly unknown[]) => Error | undefined
  after: (sql: string, values: readonly unknown[]) => Error | undefined
  readonly count: (sql: string) => number
  readonly close: () => void
}

/** What a driver throws for a result code. */
export const engineError = (code: string): Error => Object.assign(new Error(`made to fail: ${code}`), { code })

export function faulty(driver: Driver, path = ':memory:'): Faulty {
  const handle = openHandle(driver, path)
  const executed: string[] = []
  const around = <T>(sql: string, values: readonly unknown[], work: () => T): T => {
    const refused = self.before(sql, values)
    if (refused !== undefined) throw refused
    const value = work()
    const failed = self.after(sql, values)
    if (failed !== undefined) throw failed
    return value
  }
  const self: Faulty = {
    handle,
    executed,
    before: () => undefined,
    after: () => undefined,
    count: (sql) => executed.filter((each) => each === sql).length,
    exec: (sql) => {
      executed.push(sql)
      return around(sql, [], () => handle.exec(sql))
    },
    prepare: (sql) => {
      const statement = handle.prepare(sql)
      const wrapped: SqliteStatement = {
        run: (...values) => around(sql, values, () => statement.run(...values)),
        get: (...values) => around(sql, values, () => statement.get(...values)),
        all: (...values) => around(sql, values, () => statement.all(...values)),
      }
      return wrapped
    },
    close: () => void handle.close(),
  }
  return self
}
