// Servers of a test's own, one the standby of the other: what a failover needs. Debian's programs in folders under /tmp, without fsync.
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { postgresBinaries } from '../../support/probe.ts'
import { type OwnProcess, ownFolder, removeFolder, runToEnd, socketIn, startProcess } from './own-process.ts'
import { until } from './support.ts'

const PORT = 5432

export interface Cluster {
  /** The folder of its socket, and the socket's number. */
  readonly host: string
  readonly port: number
  readonly run: (text: string, values?: unknown[]) => Promise<Record<string, unknown>[]>
  /** Ends it with SIGKILL, as a machine that goes down. */
  readonly kill: () => Promise<void>
  /** Starts it again, as it was when it ended. */
  readonly start: () => Promise<void>
  readonly close: () => Promise<void>
}

export interface Standby extends Cluster {
  /** Receives nothing more of the primary, which goes on. */
  readonly lag: () => Promise<void>
  readonly promote: () => Promise<void>
  /** Resolves when it has replayed what the primary has written. */
  readonly caughtUp: () => Promise<void>
}

const binary = (name: string): string => join(postgresBinaries(), name)

const SETTINGS = `listen_addresses = ''
fsync = off
max_connections = 50
shared_buffers = 16MB
max_wal_senders = 4
wal_level = replica
hot_standby = on
`

export async function startPrimary(): Promise<Cluster> {
  const folder = ownFolder('primary')
  const data = join(folder, 'data')
  runToEnd(binary('initdb'), ['-D', data, '-A', 'trust', '-U', 'postgres', '-E', 'UTF8', '--locale=C', '--no-sync'])
  appendFileSync(join(data, 'postgresql.conf'), SETTINGS)
  return await cluster(folder, data)
}

/** A copy of the primary that follows it, asynchronously unless the primary is told to wait for it. */
export async function startStandby(primary: Cluster): Promise<Standby> {
  const folder = ownFolder('standby')
  const data = join(folder, 'data')
  const from = `host=${primary.host} port=${primary.port} user=postgres application_name=standby`
  runToEnd(binary('pg_basebackup'), ['-D', data, '-d', from, '-R', '-X', 'stream', '-c', 'fast', '--no-sync'])
  const standby = await cluster(folder, data)
  return {
    ...standby,
    lag: async () => {
      await standby.run(`alter system set primary_conninfo = ''`)
      await standby.run('select pg_reload_conf()')
      await until('nothing is received', async () => (await standby.run('select 1 from pg_stat_wal_receiver')).length === 0)
    },
    promote: async () => {
      const [promoted] = await standby.run('select pg_promote(true, 30) as done')
      if (promoted?.done !== true) throw new Error('the standby was not promoted')
    },
    caughtUp: async () => {
      const [written] = await primary.run('select pg_current_wal_lsn()::text as lsn')
      const isThere = async () =>
        (await standby.run('select pg_last_wal_replay_lsn() >= $1::text::pg_lsn as there', [written?.lsn]))[0]?.there === true
      await until('the standby has caught up', isThere)
    },
  }
}

async function cluster(folder: string, data: string): Promise<Cluster> {
  const admin = new pg.Pool({ host: folder, port: PORT, user: 'postgres', database: 'postgres', max: 2 })
  admin.on('error', () => {})
  let server: OwnProcess
  const run = async (text: string, values: unknown[] = []) => (await admin.query(text, values)).rows as Record<string, unknown>[]
  const start = async (): Promise<void> => {
    server = await startProcess(binary('postgres'), ['-D', data, '-k', folder, '-p', String(PORT)], socketIn(folder, PORT))
    const accepts = async () => {
      try {
        return (await run('select 1')).length === 1
      } catch {
        return false
      }
    }
    await until('the server accepts connections', accepts)
  }
  await start()
  return {
    host: folder,
    port: PORT,
    run,
    kill: () => server.end('SIGKILL'),
    start,
    close: async () => {
      await admin.end()
      await server.end('SIGINT')
      removeFolder(folder)
    },
  }
}
