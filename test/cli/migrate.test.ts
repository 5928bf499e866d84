import { mkdir, writeFile } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { VERSION } from '../../src/adapters/postgres/migrations/index.ts'
import { describeWith } from '../support/services.ts'
import { type Ended, ownDatabase, projects, SECRET, SECRET_ENCODED } from './support.ts'

const installed = projects({ pg: ['pg'], postgres: ['postgres'], both: ['pg', 'postgres'], bare: [], broken: [], falling: [] })
const drivers = ['pg', 'postgres'] as const

/** One line, no stack, no password. */
function expectFailure({ code, out, err }: Ended, reason: string): void {
  expect({ code, out }).toEqual({ code: 1, out: '' })
  expect(err).toMatch(/^holdfast: [^\n]+\n$/)
  expect(err).toContain(reason)
  for (const shown of [SECRET, SECRET_ENCODED, 'quiet']) expect(err).not.toContain(shown)
}

describeWith('postgres', 'holdfast migrate', () => {
  const database = ownDatabase()
  const at = `127.0.0.1:5432/${database.name}`
  const versionAt = (meta: string) => database.query(`select value from ${meta} where key = 'schema'`)

  test.each(drivers)('migrates once with %s, then finds it done; --check looks and changes nothing', async (driver) => {
    const { holdfast } = installed[driver]
    const options = ['--url', database.url, `--schema=by_${driver}`, '--prefix=a_']
    const where = `schema "by_${driver}", prefix "a_", ${at}`
    const asked = `npx holdfast migrate --schema=by_${driver} --prefix=a_,`
    for (let n = 0; n < 2; n++) expectFailure(await holdfast(['migrate', '--check', ...options]), asked)
    expect(await database.query('select 1 from pg_namespace where nspname = $1', [`by_${driver}`])).toEqual([])
    expect(await holdfast(['migrate', ...options])).toEqual({ code: 0, out: `Migrated from version 0 to ${VERSION}: ${where}.\n`, err: '' })
    const done = { code: 0, out: `Up to date at version ${VERSION}: ${where}.\n`, err: '' }
    expect(await holdfast(['migrate', ...options])).toEqual(done)
    expect(await holdfast(['migrate', '--check', ...options])).toEqual(done)
    expect(await versionAt(`by_${driver}.a_meta`)).toEqual([{ value: String(VERSION) }])
  })

  test('goes on from an older version', async () => {
    const { holdfast } = installed.both
    const options = ['--url', database.url, '--schema=older']
    await database.query('create schema older')
    await database.query('create table older.meta (key text primary key, value text not null)')
    await database.query(`insert into older.meta values ('application', 'holdfast'), ('schema', '1')`)
    expectFailure(await holdfast(['migrate', '--check', ...options]), `schema 1, ${VERSION} is needed`)
    expect(await holdfast(['migrate', ...options])).toMatchObject({
      code: 0,
      out: expect.stringContaining(`from version 1 to ${VERSION}:`),
    })
  })

  test('is done by one of ten that start at once, and all of them succeed', async () => {
    const ended = await Promise.all(
      Array.from({ length: 10 }, (_, n) => installed[drivers[n % 2] ?? 'pg'].holdfast(['migrate', '--url', database.url, '--schema=race'])),
    )
    expect(ended.map(({ code, err }) => ({ code, err }))).toEqual(Array(10).fill({ code: 0, err: '' }))
    expect(ended.map(({ out }) => out.split(':')[0]).sort()).toEqual([
      `Migrated from version 0 to ${VERSION}`,
      ...Array(9).fill(`Up to date at version ${VERSION}`),
    ])
  })

  describe.each(drivers)('with %s', (driver) => {
    test('takes DATABASE_URL, or else PGHOST and its kin; --url goes before both', async () => {
      const { holdfast } = installed[driver]
      const elsewhere = 'postgres://127.0.0.1:1/none'
      const libpq = { PGHOST: '127.0.0.1', PGUSER: 'postgres', PGDATABASE: database.name }
      const done = { code: 0, out: expect.stringContaining(`: schema "env_${driver}", ${at}.\n`), err: '' }
      const migrate = ['migrate', `--schema=env_${driver}`]
      expect(await holdfast(migrate, { env: libpq })).toEqual(done)
      expect(await holdfast(migrate, { env: { ...libpq, PGHOST: 'localhost', PGPORT: '1', DATABASE_URL: database.url } })).toEqual(done)
      expect(await holdfast([...migrate, '--url', database.url], { env: { DATABASE_URL: elsewhere } })).toEqual(done)
      expect(await holdfast(migrate, { env: { ...libpq, DATABASE_URL: '' } })).toEqual(done)
      expect(await holdfast(migrate, { env: { DATABASE_URL: `${database.url}\n` } })).toEqual(done)
    })

    test.each([
      ['nobody listens', 'postgres://ann:S@127.0.0.1:1/shop', 'PostgreSQL cannot be reached or written: connect ECONNREFUSED 127.0.0.1:1'],
      ['there is no such database', 'postgres://postgres:S@127.0.0.1/hf_cli_none', 'there is no such database'],
      ['there is no such role', 'postgres://hf_cli_nobody:S@127.0.0.1/postgres', 'role "hf_cli_nobody" does not exist'],
    ])('fails with one line where %s', async (_, url, reason) => {
      const { holdfast } = installed[driver]
      for (const check of [[], ['--check']]) {
        expectFailure(await holdfast(['migrate', ...check, '--url', url.replace(':S@', `:${SECRET_ENCODED}@`)]), reason)
      }
    })

    test('refuses a schema that a newer version wrote, and changes nothing', async () => {
      const schema = `newer_${driver}`
      await database.query(`create schema ${schema}`)
      await database.query(`create table ${schema}.meta (key text primary key, value text not null)`)
      await database.query(`insert into ${schema}.meta values ('application', 'holdfast'), ('schema', '${VERSION + 1}')`)
      for (const check of [[], ['--check']]) {
        const ended = await installed[driver].holdfast(['migrate', ...check, '--url', database.url, '--schema', schema])
        expectFailure(ended, `a newer version of holdfast wrote it (schema ${VERSION + 1}, this one knows ${VERSION})`)
      }
      expect(await database.query('select table_name from information_schema.tables where table_schema = $1', [schema])).toHaveLength(1)
    })
  })

  test('finds a driver in the folder that it runs in', async () => {
    const { code, err } = await installed.bare.holdfast(['migrate', '--check', '--url', database.url], { cwd: installed.postgres.folder })
    expect(code).toBe(1)
    expect(err).toContain('the tables of holdfast are missing or old')
  })
})

describe('a driver that', () => {
  const withDriver = async (name: 'broken' | 'falling', source: string) => {
    const folder = join(installed[name].folder, 'node_modules/pg')
    await mkdir(folder)
    await writeFile(join(folder, 'index.js'), source)
    return await installed[name].holdfast(['migrate', '--url', `postgres://ann:${SECRET_ENCODED}@127.0.0.1:1/shop`], { cwd: tmpdir() })
  }

  test('cannot be loaded says why', async () => {
    expectFailure(await withDriver('broken', `throw new Error('not made for\\nthis machine')`), 'not made for this machine')
  })

  test('throws where nobody can catch it shows no stack, and ends the command', async () => {
    const source = `const lost = () => { throw new Error('lost ${SECRET}') }
      exports.Pool = class { totalCount = 0; on() {} query() {} end() {} connect() { setImmediate(lost); return new Promise(() => setInterval(() => {}, 1e3)) } }`
    expectFailure(await withDriver('falling', source), 'lost ***')
  })
})

describe('a server that', () => {
  const servers = new Set<Server>()
  const sockets = new Set<Socket>()
  afterEach(async () => {
    for (const socket of sockets) socket.destroy()
    for (const server of servers) await new Promise((resolve) => server.close(resolve))
    sockets.clear()
    servers.clear()
  })
  const listening = async (answer: (socket: Socket) => void): Promise<string> => {
    const server = createServer((socket) => {
      sockets.add(socket.on('error', () => {}))
      answer(socket)
    })
    servers.add(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return `postgres://ann:${SECRET_ENCODED}@127.0.0.1:${(server.address() as { readonly port: number }).port}/shop`
  }

  test.each(drivers)('repeats the password in its answer does not get it shown, with %s', async (driver) => {
    const fields = ['SFATAL', 'VFATAL', 'C28P01', `Mno entry for ${SECRET} or ${SECRET_ENCODED}`, '']
    const body = Buffer.from(`${fields.join('\0')}\0`)
    const head = Buffer.alloc(5, 'E')
    head.writeInt32BE(body.length + 4, 1)
    const url = await listening((socket) => socket.once('data', () => socket.end(Buffer.concat([head, body]))))
    const { hostname: PGHOST, port: PGPORT } = new URL(url)
    const { holdfast } = installed[driver]
    expectFailure(await holdfast(['migrate', '--url', url]), 'no entry for *** or ***')
    expectFailure(await holdfast(['migrate'], { env: { DATABASE_URL: url } }), 'no entry for *** or ***')
    const libpq = { PGHOST, PGPORT, PGUSER: 'ann', PGPASSWORD: SECRET }
    expectFailure(await holdfast(['migrate'], { env: libpq }), 'no entry for ***')
  })

  test('says nothing is given up on, with either driver', async () => {
    const url = await listening((socket) => socket.resume())
    const ended = await Promise.all(drivers.map((driver) => installed[driver].holdfast(['migrate', '--url', url])))
    for (const end of ended) expectFailure(end, 'PostgreSQL cannot be reached')
  }, 60_000)
})
