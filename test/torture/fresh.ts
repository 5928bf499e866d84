// Databases of a run's own, and their end.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { postgresStorage } from '../../src/adapters/postgres/index.ts'
import type { Target } from './order.ts'

export interface OwnedTarget {
  readonly target: Target
  readonly remove: () => Promise<void>
}

const server = 'postgres://postgres@127.0.0.1:5432'

export function sqliteTarget(): OwnedTarget {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-torture-'))
  return {
    target: { engine: 'sqlite', path: join(folder, 'log.db') },
    remove: async () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** A database of its own, since connections of others are cut in it. */
export async function postgresTarget(driver: 'pg' | 'postgres.js'): Promise<OwnedTarget> {
  const name = `holdfast_torture_${process.pid}_${Math.floor(performance.now())}`
  const onServer = async (sql: string): Promise<void> => {
    const client = new pg.Client({ connectionString: `${server}/postgres` })
    await client.connect()
    await client.query(sql).finally(() => client.end())
  }
  await onServer(`create database ${name}`)
  const url = `${server}/${name}`
  const pool = new pg.Pool({ connectionString: url })
  await postgresStorage(pool, { schema: 'torture' })
    .migrate()
    .finally(() => pool.end())
  return { target: { engine: 'postgres', driver, url, schema: 'torture' }, remove: () => onServer(`drop database ${name} with (force)`) }
}
