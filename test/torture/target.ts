// Opens the store that a process works on, and transactions as its user would.
import { createRequire } from 'node:module'
import pg from 'pg'
import postgres from 'postgres'
import { postgresStorage } from '../../src/adapters/postgres/index.ts'
import { sqliteStorage } from '../../src/adapters/sqlite/index.ts'
import type { Storage } from '../../src/ports/storage.ts'
import type { Target } from './order.ts'

export interface UserTransaction {
  readonly tx: unknown
  readonly commit: () => Promise<void>
  readonly rollback: () => Promise<void>
}

export interface Opened {
  readonly store: Required<Storage>['eventStore']
  readonly lease: Required<Storage>['lease']
  readonly checkpoints: Required<Storage>['checkpoints']
  readonly begin: () => Promise<UserTransaction>
  readonly close: () => Promise<void>
}

const portsOf = (storage: Storage): Pick<Opened, 'store' | 'lease' | 'checkpoints'> => {
  const { eventStore: store, lease, checkpoints } = storage as Required<Storage>
  return { store, lease, checkpoints }
}

export const openTarget = (target: Target): Promise<Opened> => (target.engine === 'sqlite' ? openSqlite(target.path) : openPostgres(target))

async function openSqlite(path: string): Promise<Opened> {
  const storage = sqliteStorage(path, { lockedMaxMs: 20_000 })
  await storage.open()
  const Database = createRequire(`${process.cwd()}/`)('libsql') as new (
    path: string,
  ) => { exec(sql: string): void; prepare(sql: string): unknown; close(): void }
  return {
    ...portsOf(storage),
    begin: async () => {
      const handle = new Database(path)
      handle.exec('pragma busy_timeout = 0')
      try {
        handle.exec('BEGIN IMMEDIATE')
      } catch (error) {
        handle.close()
        throw error
      }
      const end = (sql: string) => async () => {
        try {
          handle.exec(sql)
        } finally {
          handle.close()
        }
      }
      return { tx: handle, commit: end('COMMIT'), rollback: end('ROLLBACK') }
    },
    close: () => storage.close(),
  }
}

async function openPostgres({ driver, url, schema }: Extract<Target, { engine: 'postgres' }>): Promise<Opened> {
  const pool = new pg.Pool({ connectionString: url, max: 8 })
  // A backend that is terminated while it idles in the pool is no end of the process.
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  const sql = driver === 'postgres.js' ? postgres(url, { max: 8, onnotice: () => {} }) : undefined
  const storage = postgresStorage(sql ?? pool, { schema, answerMaxMs: 4_000 })
  await storage.open()
  return {
    ...portsOf(storage),
    begin: async () => {
      const client = await pool.connect()
      let broken = false
      client.on('error', () => {
        broken = true
      })
      await client.query('begin').catch((error: unknown) => {
        // Else the pool would wait for it when it is ended.
        client.release(true)
        throw error
      })
      const end = (text: string) => async () => {
        try {
          const { command } = await client.query(text)
          // COMMIT of a transaction that has failed answers ROLLBACK.
          if (text === 'commit' && command !== 'COMMIT') throw Object.assign(new Error('the commit rolled back'), { rolledBack: true })
        } finally {
          client.removeAllListeners('error')
          client.release(broken)
        }
      }
      return { tx: client, commit: end('commit'), rollback: end('rollback') }
    },
    close: async () => {
      await storage.close()
      await pool.end()
      // Without a bound it may wait for ever for a connection that was cut.
      await sql?.end({ timeout: 2 })
    },
  }
}
