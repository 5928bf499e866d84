// PgBouncer in front of the server, as a test wants it.
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pgbouncer } from '../../support/probe.ts'
import { type OwnProcess, ownFolder, removeFolder, socketIn, startProcess } from './own-process.ts'
import { HOST, PORT } from './support.ts'

const LISTENS = 6432

export interface PoolerSettings {
  readonly mode?: 'session' | 'transaction' | 'statement'
  /** How many connections it has to the server. */
  readonly size?: number
}

export interface Pooler {
  /** What clients connect to: the folder of its socket, and the socket's number. */
  readonly host: string
  readonly port: number
  /** Ends it with SIGKILL: nobody is told anything. */
  readonly kill: () => Promise<void>
  readonly start: () => Promise<void>
  readonly close: () => Promise<void>
}

export async function startPooler({ mode = 'transaction', size = 4 }: PoolerSettings = {}): Promise<Pooler> {
  const folder = ownFolder('pgbouncer')
  const users = join(folder, 'users.txt')
  const ini = join(folder, 'pgbouncer.ini')
  writeFileSync(users, '"postgres" ""\n')
  writeFileSync(
    ini,
    `[databases]
postgres = host=${HOST} port=${PORT}
[pgbouncer]
listen_addr =
unix_socket_dir = ${folder}
listen_port = ${LISTENS}
auth_type = trust
auth_file = ${users}
pool_mode = ${mode}
default_pool_size = ${size}
max_client_conn = 200
`,
  )
  for (const file of [users, ini]) chmodSync(file, 0o644)
  let process: OwnProcess
  const start = async (): Promise<void> => {
    process = await startProcess(pgbouncer, [ini], socketIn(folder, LISTENS))
  }
  await start()
  return {
    host: folder,
    port: LISTENS,
    kill: () => process.end('SIGKILL'),
    start,
    close: async () => {
      await process.end('SIGINT')
      removeFolder(folder)
    },
  }
}
