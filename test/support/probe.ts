// Asks once, before the first test, which engines answer and which drivers are installed (vitest's globalSetup).
import { existsSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { connect } from 'node:net'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { TestProject } from 'vitest/node'

/** PGPORT: another server than the usual one. */
const ports = {
  postgres: Number(process.env.PGPORT ?? 5432),
  mariadb: 3306,
  redis: 6379,
  rabbitmq: 5672,
  mosquitto: 1883,
  nats: 4222,
} as const
/** Programs of which a test starts one of its own. */
const programs = { pgbouncer: () => pgbouncer, 'postgres-binaries': () => join(postgresBinaries(), 'initdb') } as const
const drivers = ['libsql', 'better-sqlite3', 'node:sqlite', 'undici 8'] as const

export type Driver = (typeof drivers)[number]
export type Need = keyof typeof ports | keyof typeof programs | Driver | 'prisma'

/** undici is a dependency of the tests as well, in the version that Node 20 runs. */
export const packageOf = (driver: Driver): string => (driver === 'undici 8' ? 'undici' : driver)

/** Prisma's client, where `node scripts/prisma.mjs` has made one. */
export const prismaClient = new URL('../../.tmp/prisma/generated/client.ts', import.meta.url)

export const pgbouncer = '/usr/sbin/pgbouncer'

/** Of the newest version that Debian's package has installed. */
export function postgresBinaries(): string {
  const home = '/usr/lib/postgresql'
  const newest = existsSync(home)
    ? readdirSync(home)
        .sort((a, b) => Number(a) - Number(b))
        .at(-1)
    : undefined
  return join(home, newest ?? '', 'bin')
}

export interface Availability {
  readonly ready: boolean
  /** Why not; empty when ready. */
  readonly reason: string
  /** It cannot exist on this version of Node: no failure even when services are required. */
  readonly excused: boolean
  /** Where a driver resolves from. */
  readonly from?: string
}

const [nodeMajor = 0, nodeMinor = 0] = process.versions.node.split('.').map(Number)

function reach(port: number): Promise<Availability> {
  return new Promise((done) => {
    const socket = connect({ host: '127.0.0.1', port, timeout: 2_000 })
    const end = (reason: string) => {
      socket.destroy()
      done({ ready: reason === '', reason, excused: false })
    }
    socket.once('connect', () => end(''))
    socket.once('timeout', () => end(`no answer from 127.0.0.1:${port} within 2 s`))
    socket.once('error', (error: NodeJS.ErrnoException) => end(`127.0.0.1:${port} answers ${error.code ?? error.message}`))
  })
}

/** Resolves only: a driver built for another Node may end the process when it is loaded. */
function find(driver: Driver): Availability {
  if (nodeMajor < 22 && driver === 'node:sqlite') return { ready: false, reason: `not on Node ${nodeMajor} (22 and later)`, excused: true }
  if (nodeMajor < 22 && driver === 'better-sqlite3') {
    return { ready: false, reason: `its ready-made binaries need Node 22 (this is ${nodeMajor})`, excused: true }
  }
  if (driver === 'undici 8' && (nodeMajor < 22 || (nodeMajor === 22 && nodeMinor < 19))) {
    return { ready: false, reason: `it needs Node 22.19 (this is ${nodeMajor}.${nodeMinor})`, excused: true }
  }
  if (driver === 'node:sqlite') return { ready: true, reason: '', excused: false }
  const folders = [
    ...(driver === 'undici 8' ? [] : [import.meta.url]),
    ...(process.env.HOLDFAST_DRIVERS ? [pathToFileURL(`${resolve(process.env.HOLDFAST_DRIVERS)}/`).href] : []),
  ]
  for (const from of folders) {
    try {
      createRequire(from).resolve(packageOf(driver))
      return { ready: true, reason: '', excused: false, from }
    } catch {
      // Perhaps in the next folder.
    }
  }
  return { ready: false, reason: 'not installed (npm install --prefix test/drivers, then HOLDFAST_DRIVERS=test/drivers)', excused: false }
}

function findProgram(path: string): Availability {
  const ready = existsSync(path)
  return { ready, reason: ready ? '' : `there is no ${path} (Debian: node scripts/services.mjs up)`, excused: false }
}

const findPrisma = (): Availability => ({
  ready: existsSync(prismaClient),
  reason: existsSync(prismaClient) ? '' : 'not installed (node scripts/prisma.mjs)',
  excused: false,
})

export default async function setup(project: TestProject): Promise<void> {
  const services = Object.entries(ports).map(async ([name, port]) => [name, await reach(port)] as const)
  const reached = await Promise.all(services)
  // A pooler is of no use without the server behind it.
  const [, server] = reached.find(([name, { ready }]) => name === 'postgres' && !ready) ?? []
  const own = Object.entries(programs).map(([name, path]) => [name, (name === 'pgbouncer' && server) || findProgram(path())] as const)
  const found = [...reached, ...own, ...drivers.map((driver) => [driver, find(driver)] as const)]
  project.provide('availability', Object.fromEntries([...found, ['prisma', findPrisma()]]) as Record<Need, Availability>)
}
