import { spawn } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { migrationSql, postgresStorage } from '../../../src/adapters/postgres/index.ts'
import { VERSION } from '../../../src/adapters/postgres/migrations/index.ts'
import { bundle } from '../../support/bundle.ts'
import { describeWith } from '../../support/services.ts'
import { drivers, ownSchema, poolOf, URL, until } from './support.ts'

describeWith('postgres', 'migrations', () => {
  const { schema, run } = ownSchema('migrate')
  const others = ['print', 'race', 'processes', 'newer', 'foreign', 'odd"name $$', 'role'].map((name) => `${schema}_${name}`)
  const of = (name: string) => others.find((other) => other.includes(`_${name}`)) as string
  let program = ''
  beforeAll(async () => {
    program = await bundle(fileURLToPath(new globalThis.URL('./migrate-program.ts', import.meta.url)))
  })
  afterAll(async () => {
    await rm(program, { force: true })
    for (const other of others) await run(`drop schema if exists "${other.replaceAll('"', '""')}" cascade`)
    await run(`drop role if exists "${schema}_role"`)
  })
  const tablesOf = async (place: string) =>
    (await run('select table_name::text as name from information_schema.tables where table_schema = $1 order by 1', [place])).map(
      ({ name }) => name,
    )
  const base = ['batch', 'checkpoint', 'key_value', 'lease', 'meta', 'saga', 'saga_fence', 'saga_lease', 'saga_record']

  test.each(drivers)('are asked for by open with %s, made once, and do nothing the second time', async (driver) => {
    const { pool, end } = poolOf(driver)
    const place = { schema, prefix: driver === 'pg' ? 'one_' : 'two_' }
    const storage = postgresStorage(pool, place)
    const asked = {
      code: 'NOT_MIGRATED',
      effect: 'none',
      retry: 'never',
      message: expect.stringContaining(`migrationSql({ schema: "${schema}", prefix: "${place.prefix}" })`),
    }
    await expect(storage.open()).rejects.toMatchObject(asked)
    await expect(storage.open()).rejects.toThrow(`npx holdfast migrate --schema=${schema} --prefix=${place.prefix},`)
    expect(await storage.migrate()).toEqual({ from: 0, to: VERSION })
    await storage.open()
    expect(await storage.migrate()).toEqual({ from: VERSION, to: VERSION })
    expect(await tablesOf(schema)).toEqual(expect.arrayContaining(base.map((name) => `${place.prefix}${name}`)))
    expect(await run(`select value from "${schema}"."${place.prefix}meta" where key = 'schema'`)).toEqual([{ value: String(VERSION) }])
    await storage.close()
    await end()
  })

  test.each(drivers)('printed are the same, and can be applied twice, with %s', async (driver) => {
    const { pool, end } = poolOf(driver, { max: 1 })
    const text = migrationSql({ schema: of('print') })
    for (let n = 0; n < 2; n++) await (typeof pool === 'function' ? pool.unsafe(text).simple() : pool.query(text))
    const storage = postgresStorage(pool, { schema: of('print') })
    await storage.open()
    await storage.close()
    await end()
    expect(await tablesOf(of('print'))).toEqual(expect.arrayContaining(base))
  })

  test('are made once by ten clients at once', async () => {
    const pools = Array.from({ length: 10 }, (_, n) => poolOf(drivers[n % 2 === 0 ? 0 : 1], { max: 1 }))
    const storages = pools.map(({ pool }) => postgresStorage(pool, { schema: of('race') }))
    const made = await Promise.all(storages.map((storage) => storage.migrate()))
    expect(made.map(({ from, to }) => `${from} to ${to}`).sort()).toEqual([`0 to ${VERSION}`, ...Array(9).fill(`${VERSION} to ${VERSION}`)])
    await Promise.all(storages.map((storage) => storage.open()))
    await Promise.all(pools.map(({ end }) => end()))
    expect(await run(`select value from "${of('race')}".meta where key = 'schema'`)).toEqual([{ value: String(VERSION) }])
  })

  test('are made once by several processes at once', async () => {
    const children = Array.from({ length: 4 }, (_, n) => {
      const child = spawn(process.execPath, [program, URL, of('processes'), drivers[n % 2 === 0 ? 0 : 1]], {
        stdio: ['ignore', 'inherit', 'inherit'],
      })
      return new Promise<number | null>((resolve) => child.once('close', resolve))
    })
    expect(await Promise.all(children)).toEqual([0, 0, 0, 0])
    expect(await run(`select value from "${of('processes')}".meta where key = 'schema'`)).toEqual([{ value: String(VERSION) }])
  })

  test.each([
    [
      'a newer version wrote',
      'newer',
      `insert into meta values ('application', 'holdfast'), ('schema', '${VERSION + 1}')`,
      `(schema ${VERSION + 1}, this one knows ${VERSION})`,
    ],
    ['is not ours', 'foreign', `insert into meta values ('application', 'other'), ('schema', '1')`, 'holdfast did not make'],
  ])('leave alone what %s', async (_, name, filling, reason) => {
    await run(`create schema "${of(name)}"`)
    await run(`create table "${of(name)}".meta (key text primary key, value text not null)`)
    await run(filling.replace('into meta', `into "${of(name)}".meta`))
    const { pool, end } = poolOf('pg')
    const storage = postgresStorage(pool, { schema: of(name) })
    const refused = { code: 'STORAGE_CORRUPT', effect: 'none', retry: 'never', message: expect.stringContaining(reason) }
    await expect(storage.migrate()).rejects.toMatchObject(refused)
    await expect(storage.open()).rejects.toMatchObject(refused)
    await end()
    expect(await tablesOf(of(name))).toEqual(['meta'])
  })

  test('quote whatever a schema is called', async () => {
    const { pool, end } = poolOf('pg')
    const storage = postgresStorage(pool, { schema: of('odd') })
    await expect(storage.open()).rejects.toMatchObject({
      message: expect.stringContaining(`npx holdfast migrate --schema='${of('odd')}',`),
    })
    await storage.migrate()
    await storage.open()
    expect(await tablesOf(of('odd'))).toEqual(expect.arrayContaining(base))
    await storage.close()
    await end()
  })

  test('need no right to create a schema that is there', async () => {
    await run(`create role "${schema}_role" login`)
    await run(`create schema "${of('role')}" authorization "${schema}_role"`)
    const { pool, end } = poolOf('pg', { user: `${schema}_role` })
    const storage = postgresStorage(pool, { schema: of('role') })
    await storage.migrate()
    await storage.open()
    await storage.close()
    await expect(postgresStorage(pool, { schema: `${schema}_never` }).migrate()).rejects.toMatchObject({
      effect: 'none',
      message: expect.stringContaining('privilege'),
    })
    await end()
    await run(`drop schema "${of('role')}" cascade`)
  })

  test('wait for whoever else migrates', async () => {
    const { pool, end } = poolOf('pg', { max: 2 })
    const place = { schema, prefix: 'held_' }
    const [, lock = ''] = /^select (pg_catalog.pg_advisory_xact_lock.*);$/m.exec(migrationSql(place)) ?? []
    const other = await (pool as pg.Pool).connect()
    await other.query('begin')
    await other.query(`select ${lock}`)
    const migrating = postgresStorage(pool, place).migrate()
    await until('it waits', async () => (await run(`select 1 from pg_locks where locktype = 'advisory' and not granted`)).length > 0)
    expect(await tablesOf(schema)).not.toContain('held_meta')
    await other.query('commit')
    other.release()
    await migrating
    expect(await tablesOf(schema)).toContain('held_meta')
    await end()
  })
})

describe('the SQL of the migrations', () => {
  test('is refused for options that are none', () => {
    expect(() => migrationSql({ schema: '' })).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }))
    expect(() => migrationSql({ schema: 'a\0' })).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }))
    expect(() => migrationSql({ prefix: 'x'.repeat(31) })).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }))
    expect(() => migrationSql({ table: 'x' } as object)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }))
  })
})
