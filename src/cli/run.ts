import { readOptions } from './arguments.ts'
import { help } from './help.ts'
import { UsageError } from './usage.ts'

type Environment = Readonly<Record<string, string | undefined>>
type Command = (args: readonly string[], env: Environment) => Promise<string>

/** Each is loaded when it is asked for. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  migrate: async () => (await import('./migrate.ts')).migrate,
}

const OPTIONS = { help: { type: 'boolean', short: 'h' }, version: { type: 'boolean', short: 'v' } } as const

/** What standard output is to say. Rejects with what standard error is to say. */
export async function run(args: readonly string[], env: Environment): Promise<string> {
  try {
    return await answer(args, env)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    const command = Object.keys(COMMANDS).find((name) => name === args[0])
    throw new UsageError(`${error.message}. See: ${['holdfast', command, '--help'].filter(Boolean).join(' ')}`)
  }
}

async function answer([name, ...rest]: readonly string[], env: Environment): Promise<string> {
  if (name === undefined) throw new UsageError(`which command? There is ${Object.keys(COMMANDS).join(', ')}`)
  if (name.startsWith('-')) return await aboutItself([name, ...rest])
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (load === undefined) {
    const shown = /^[\w-]{1,40}$/.test(name) ? ` ${name}` : ''
    throw new UsageError(`there is no command${shown} (there is ${Object.keys(COMMANDS).join(', ')})`)
  }
  return await (await load())(rest, env)
}

async function aboutItself(args: readonly string[]): Promise<string> {
  const asked = readOptions('the command line', args, OPTIONS)
  if (asked.help) return help
  if (asked.version) return `${await version()}\n`
  throw new UsageError('options of a command stand behind it')
}

async function version(): Promise<string> {
  const { readFile } = await import('node:fs/promises')
  const manifest = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as { readonly version: string }
  return manifest.version
}
