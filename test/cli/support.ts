// The command as it is installed: a bundle of it in node_modules/holdfast of a project outside the repository, whose node_modules holds the
// drivers that a test wants there and no others.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { afterAll, beforeAll } from 'vitest'
import { bundle } from '../support/bundle.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { readonly dependencies: Readonly<Record<string, string>> }

export type Driver = 'pg' | 'postgres'

export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export interface Settings {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

export interface Project {
  readonly folder: string
  readonly program: string
  holdfast(args: readonly string[], settings?: Settings): Promise<Ended>
}

/** What stands in the environment of whoever runs the tests is not passed on. */
export const bareEnv = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(?:PG|DATABASE_URL|NODE_OPTIONS|HOLDFAST)/.test(name)),
)

export function run(program: string, args: readonly string[], { env = {}, cwd = tmpdir() }: Settings = {}): Promise<Ended> {
  const child = spawn(program, args, { cwd, env: { ...bareEnv, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let [out, err] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text) => {
    out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    err += text
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, out, err }))
  })
}

async function install(folder: string, bundled: string, drivers: readonly Driver[]): Promise<Project> {
  const home = join(folder, 'node_modules/holdfast')
  const program = join(home, 'dist/cli/main.js')
  await mkdir(join(home, 'dist/cli'), { recursive: true })
  await cp(bundled, program)
  await cp(join(root, 'package.json'), join(home, 'package.json'))
  for (const name of [...Object.keys(manifest.dependencies), ...drivers])
    await symlink(join(root, 'node_modules', name), join(folder, 'node_modules', name))
  return {
    folder,
    program,
    holdfast: (args, settings) => run(process.execPath, [program, ...args], { cwd: folder, ...settings }),
  }
}

/** A project for each name, with these drivers; removed after the tests of the file. */
export function projects<Name extends string>(wanted: Readonly<Record<Name, readonly Driver[]>>): Readonly<Record<Name, Project>> {
  const made = {} as Record<Name, Project>
  let home = ''
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'holdfast-cli-'))
    const bundled = await bundle(join(root, 'src/cli/main.ts'))
    for (const [name, drivers] of Object.entries(wanted) as [Name, readonly Driver[]][]) {
      made[name] = await install(join(home, name), bundled, drivers)
    }
    await rm(bundled)
  })
  afterAll(() => rm(home, { recursive: true, force: true }))
  return made
}

export interface Database {
  readonly name: string
  readonly url: string
  readonly query: (text: string, values?: unknown[]) => Promise<Record<string, unknown>[]>
}

/** A database of its own for a file, dropped afterwards. */
export function ownDatabase(): Database {
  const name = `hf_cli_${randomBytes(4).toString('hex')}`
  const at = (database: string) => ({ host: '127.0.0.1', user: 'postgres', database })
  const admin = async (text: string) => {
    const client = new pg.Client(at('postgres'))
    await client.connect()
    await client.query(text)
    await client.end()
  }
  const pool = new pg.Pool({ ...at(name), max: 2 })
  pool.on('error', () => {})
  beforeAll(() => admin(`create database ${name}`))
  afterAll(async () => {
    await pool.end()
    await admin(`drop database ${name} with (force)`)
  })
  return {
    name,
    // The server trusts whoever comes from this machine, so the password is one that nothing but these tests knows.
    url: `postgres://postgres:${SECRET_ENCODED}@127.0.0.1:5432/${name}`,
    query: async (text, values = []) => (await pool.query(text, values)).rows,
  }
}

export const SECRET = 'kept: 7%/quiet'
export const SECRET_ENCODED = encodeURIComponent(SECRET)
