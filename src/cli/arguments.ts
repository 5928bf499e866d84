import { parseArgs } from 'node:util'
import { UsageError } from './usage.ts'

/** The options of a command, as `parseArgs` takes them. */
type Options = Readonly<Record<string, { readonly type: 'string' | 'boolean'; readonly short?: string }>>
type Values<O extends Options> = { readonly [N in keyof O]?: O[N]['type'] extends 'boolean' ? true : string }

/**
 * Reads the options behind a command. Checked here and not by `parseArgs`, whose messages take several lines and repeat values.
 *
 * @throws {UsageError}
 */
export function readOptions<const O extends Options>(command: string, args: readonly string[], options: O): Values<O> {
  const values: Record<string, string | true> = {}
  const { tokens } = parseArgs({ args: [...args], options, strict: false, allowPositionals: true, tokens: true })
  for (const token of tokens) {
    if (token.kind === 'positional') throw new UsageError(`${command} takes options only (each with two dashes before its name)`)
    if (token.kind === 'option') values[token.name] = given(command, token, options)
  }
  return values as Values<O>
}

interface OptionToken {
  readonly name: string
  readonly rawName: string
  readonly value: string | undefined
  readonly inlineValue: boolean | undefined
}

function given(command: string, { name, rawName, value, inlineValue }: OptionToken, options: Options): string | true {
  const option = Object.hasOwn(options, name) ? options[name] : undefined
  if (option === undefined) {
    throw new UsageError(`${command} has no option ${rawName} (it has ${namesOf(options)})`)
  }
  if (option.type === 'boolean') {
    if (value !== undefined) throw new UsageError(`${rawName} takes no value`)
    return true
  }
  // Taken for the next option; `--name=-value` is unmistakable.
  if (value === undefined || (inlineValue !== true && value.startsWith('-'))) throw new UsageError(`${rawName} needs a value: ${rawName}=…`)
  return value
}

const namesOf = (options: Options): string =>
  Object.keys(options)
    .map((name) => `--${name}`)
    .join(', ')
