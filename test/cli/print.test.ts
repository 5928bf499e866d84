import { spawn, spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { migrationSql, type PlaceOptions } from '../../src/adapters/postgres/index.ts'
import { describeWith } from '../support/services.ts'
import { bareEnv, ownDatabase, projects, run } from './support.ts'

const installed = projects({ bare: [], full: ['pg'] })

/** What a shell, psql and PostgreSQL each have a meaning for. */
const odd: PlaceOptions = { schema: `o"d'd $$ \\q :HOST :'x' ;--\n$holdfast$ é`, prefix: `"p' \\ $1 --` }

const optionsOf = ({ schema, prefix }: PlaceOptions): string[] => [
  ...(schema === undefined ? [] : [`--schema=${schema}`]),
  ...(prefix === undefined ? [] : [`--prefix=${prefix}`]),
]

describe('holdfast migrate --print', () => {
  test.each([
    ['the default place', {}],
    ['a schema and a prefix', { schema: 'shop', prefix: 'hf_' }],
    ['names that need quoting', odd],
  ])('prints what migrationSql gives for %s and nothing else, without a driver or a database', async (_, place) => {
    const env = { DATABASE_URL: 'postgres://127.0.0.1:1/none' }
    expect(await installed.bare.holdfast(['migrate', '--print', ...optionsOf(place)], { env })).toEqual({
      code: 0,
      out: migrationSql(place),
      err: '',
    })
  })

  test('ends without a word when whoever reads has gone', async () => {
    const child = spawn(process.execPath, [installed.bare.program, 'migrate', '--print'], {
      env: bareEnv,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child.stdout.destroy()
    let err = ''
    child.stderr.setEncoding('utf8').on('data', (text) => {
      err += text
    })
    const code = await new Promise((resolve) => child.once('close', resolve))
    expect({ code, err }).toEqual({ code: 1, err: '' })
  })
})

const hasPsql = spawnSync('psql', ['--version']).status === 0

describeWith('postgres', 'holdfast migrate --print | psql -v ON_ERROR_STOP=1', () => {
  const skipped = { skip: true, meta: { skippedFor: 'psql: not installed' } }
  describe('to a database', hasPsql || process.env.REQUIRE_SERVICES === '1' ? {} : skipped, () => {
    const database = ownDatabase()
    const piped = (place: PlaceOptions, env: Readonly<Record<string, string>> = {}) => {
      const script = 'set -o pipefail; "$NODE" "$PROGRAM" migrate --print "$@" | psql -X -q -v ON_ERROR_STOP=1 -v x=y "$DATABASE_URL"'
      return run('bash', ['-c', script, 'bash', ...optionsOf(place)], {
        env: { NODE: process.execPath, PROGRAM: installed.full.program, DATABASE_URL: database.url, ...env },
      })
    }
    const checked = (place: PlaceOptions) => installed.full.holdfast(['migrate', '--check', '--url', database.url, ...optionsOf(place)])

    test.each([
      ['the default place', {}],
      ['a schema and a prefix', { schema: 'shop', prefix: 'hf_' }],
      ['names that need quoting', odd],
    ])('migrates %s, and does nothing the second time', async (_, place) => {
      expect(await checked(place)).toMatchObject({ code: 1, out: '' })
      for (let n = 0; n < 2; n++) expect(await piped(place)).toMatchObject({ code: 0, err: '' })
      expect(await checked(place)).toMatchObject({ code: 0, err: '' })
      const [found] = await database.query('select table_name from information_schema.tables where table_schema = $1 and table_name = $2', [
        place.schema ?? 'holdfast',
        `${place.prefix ?? ''}event`,
      ])
      expect(found).toBeDefined()
    })

    test('makes the pipe fail, and changes nothing, where the server refuses', async () => {
      await database.query('create schema newer')
      await database.query('create table newer.meta (key text primary key, value text not null)')
      await database.query(`insert into newer.meta values ('application', 'holdfast'), ('schema', '999')`)
      const { code, err } = await piped({ schema: 'newer' })
      expect(code).toBe(3)
      expect(err).toContain('a newer version of holdfast wrote it')
      expect(await database.query(`select table_name from information_schema.tables where table_schema = 'newer'`)).toHaveLength(1)
    })
  })
})
