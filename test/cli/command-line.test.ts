import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { projects, SECRET, SECRET_ENCODED } from './support.ts'

const installed = projects({ bare: [] })
const holdfast: (typeof installed)['bare']['holdfast'] = (...given) => installed.bare.holdfast(...given)
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { readonly version: string }

describe('the command line', () => {
  test.each([['--version'], ['-v']])('says its version with %s', async (option) => {
    expect(await holdfast([option])).toEqual({ code: 0, out: `${version}\n`, err: '' })
  })

  test.each([
    [['--help'], 'Usage: holdfast <command>'],
    [['-h'], 'Usage: holdfast <command>'],
    [['migrate', '--help'], 'Usage: holdfast migrate'],
    [['migrate', '-h'], 'Usage: holdfast migrate'],
  ])('explains itself with %j', async (args, usage) => {
    const { code, out, err } = await holdfast(args)
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toContain(usage)
  })

  test.each([
    [[], 'which command? There is migrate. See: holdfast --help'],
    [['--no-such'], 'the command line has no option --no-such (it has --help, --version). See: holdfast --help'],
    [['migrte'], 'there is no command migrte (there is migrate). See: holdfast --help'],
    [['toString'], 'there is no command toString (there is migrate). See: holdfast --help'],
    [['migrate', '--toString'], 'migrate has no option --toString (it has --url, --schema, --prefix, --print, --check, --help)'],
    [['migrate', '-x'], 'migrate has no option -x'],
    [['migrate', '--schem=shop'], 'migrate has no option --schem '],
    [['migrate', 'now'], 'migrate takes options only'],
    [['migrate', '--print=yes'], '--print takes no value'],
    [['migrate', '--url'], '--url needs a value'],
    [['migrate', '--schema', '--print'], '--schema needs a value'],
    [['migrate', '--print', '--check'], '--print asks no database: leave --check away'],
    [['migrate', '--print', '--url=postgres://h/d'], '--print asks no database: leave --url away'],
    [['migrate', '--print', '--schema='], 'schema must be a text of 1 to 63 bytes without NUL, got ""'],
    [['migrate', '--print', `--prefix=${'x'.repeat(31)}`], 'prefix must be a text of 1 to 30 bytes'],
    [['migrate'], 'no database is named: give --url postgres://…, or set DATABASE_URL or PGHOST'],
    [['migrate', '--url', 'shop'], '--url must begin with postgres://'],
    [['migrate', '--url', 'mysql://h/d'], '--url must begin with postgres://, got mysql://…'],
    [['migrate', '--url', 'postgres://h:abc/d'], '--url: behind the host must be a port, from 1 to 65535'],
  ])('answers %j with one line and exit code 2', async (args, line) => {
    const { code, out, err } = await holdfast(args)
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toMatch(/^holdfast: [^\n]+\n$/)
    expect(err).toContain(line)
  })

  test.each([
    ['a command', [`postgres://ann:${SECRET_ENCODED}@h/d`]],
    ['an argument', ['migrate', `postgres://ann:${SECRET_ENCODED}@h/d`]],
    ['an option', [`--postgres://ann:${SECRET_ENCODED}@h/d`]],
    ["an option's value", ['migrate', `--ulr=postgres://ann:${SECRET_ENCODED}@h/d`]],
    ['a schema', ['migrate', '--print', `--schema=postgres://ann:${SECRET_ENCODED}@h/${'d'.repeat(63)}`]],
    ['a URL that is none of PostgreSQL', ['migrate', `--url=mysql://ann:${SECRET_ENCODED}@h/d`]],
    ['a URL whose password is not encoded', ['migrate', `--url=postgres://ann:1/${SECRET}@h/d`]],
    ['a URL whose password is not encoded right', ['migrate', '--url=postgres://ann:50%quiet@h/d']],
    ['a URL whose password begins a query', ['migrate', `--url=postgres://ann:1?${SECRET}@h/d`]],
    ['a URL whose password begins a fragment', ['migrate', `--url=postgres://ann:1#${SECRET}@h/d`]],
  ])('never shows a password that was given as %s', async (_, args) => {
    const { code, out, err } = await holdfast(args)
    expect(code).toBe(2)
    for (const shown of [SECRET, SECRET_ENCODED, 'quiet']) expect(out + err).not.toContain(shown)
  })

  test.each([':memory:', './data/holdfast.db', 'file:shop.sqlite', 'sqlite:///srv/shop', 'C:\\shop\\holdfast.sqlite3'])(
    'says that SQLite migrates itself: %s',
    async (url) => {
      const told = { code: 0, out: expect.stringContaining('SQLite databases migrate themselves'), err: '' }
      expect(await holdfast(['migrate', '--url', url])).toEqual(told)
      expect(await holdfast(['migrate', '--check'], { env: { DATABASE_URL: url } })).toEqual(told)
    },
  )

  test('names the command that installs a driver where there is none', async () => {
    const { code, out, err } = await holdfast(['migrate', '--url', 'postgres://127.0.0.1/shop'])
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toBe('holdfast: no PostgreSQL driver is installed: npm install pg (or: npm install postgres)\n')
  })
})
