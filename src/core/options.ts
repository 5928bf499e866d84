import { HoldfastError } from './errors.ts'

/** How one option is checked: `read` returns the value to use, or says what is wrong by returning `WRONG`. */
export interface Rule<T> {
  /** What is allowed, in words that complete "must be …". */
  readonly must: string
  readonly fits: (value: unknown) => boolean
  /** What counts when the option is absent; `REQUIRED` where nothing can serve. */
  readonly absent: T | typeof REQUIRED
}
export const REQUIRED: unique symbol = Symbol('required')

export type Rules = { readonly [name: string]: Rule<unknown> }
/** What `checkOptions` returns for rules. */
export type Read<R extends Rules> = { readonly [N in keyof R]: R[N] extends Rule<infer T> ? T : never }

/**
 * Checks an options object once, at construction, and fills in the defaults.
 *
 * @throws {HoldfastError} `INVALID_OPTIONS` (effect none, retry never): an unknown key, a wrong type or a value out of range; the message
 * names the owner, the option, the rule and what was given; `details` has `owner`, `option` and `given`.
 */
export function checkOptions<R extends Rules>(owner: string, options: unknown, rules: R): Read<R> {
  const given = taken(owner, options, rules)
  for (const key of Object.keys(given)) if (!Object.hasOwn(rules, key)) throw unknownOption(owner, key, given[key], Object.keys(rules))
  const read: Record<string, unknown> = {}
  for (const [name, rule] of Object.entries(rules)) {
    const value = given[name]
    if (value === undefined) {
      if (rule.absent === REQUIRED) throw invalidOption(owner, name, rule.must, value)
      read[name] = rule.absent
    } else {
      if (!fits(rule, value)) throw invalidOption(owner, name, rule.must, value)
      read[name] = value
    }
  }
  return read as Read<R>
}

/** A copy, each read once: what is enumerable, inherited too (an AbortSignal has all of its from its prototype), and what has a rule. */
function taken(owner: string, options: unknown, rules: Rules): Record<string, unknown> {
  const given: Record<string, unknown> = Object.create(null)
  if (options === undefined) return given
  try {
    if (typeof options === 'object' && options !== null && !Array.isArray(options)) {
      for (const key in options) given[key] = undefined
      for (const key of [...Object.keys(given), ...Object.keys(rules)])
        if (given[key] === undefined && key in options) given[key] = (options as Record<string, unknown>)[key]
      return given
    }
  } catch {
    // A proxy, or a getter that throws: what cannot be read is no object of options.
  }
  throw invalidOption(owner, 'options', 'an object', options)
}

/** Whether a value keeps a rule; one that throws when it is looked at does not. */
export function fits(rule: Rule<unknown>, value: unknown): boolean {
  try {
    return rule.fits(value)
  } catch {
    return false
  }
}

/** The error for an option that breaks its rule; also for rules between options. */
export function invalidOption(owner: string, option: string, must: string, given: unknown): HoldfastError {
  return new HoldfastError('INVALID_OPTIONS', `${owner}: ${option} must be ${must}, got ${show(given)}`, {
    effect: 'none',
    retry: 'never',
    details: { owner, option, given },
  })
}

/** The name of something that a user makes. */
export function checkName(owner: string, name: unknown): void {
  if (typeof name !== 'string' || name.length < 1 || name.length > 200)
    throw invalidOption(owner, 'name', 'a text of 1 to 200 characters', name)
}

function unknownOption(owner: string, option: string, given: unknown, known: readonly string[]): HoldfastError {
  const near = option === '' ? undefined : known.find((name) => startsWith(name, option.slice(0, 4)))
  // Where neither name goes on from the other (retries, retryIf), it may have been another one that was meant.
  const sure = near !== undefined && (startsWith(near, option) || startsWith(option, near))
  const all = `it takes ${known.join(', ') || 'no options'}`
  const hint = near === undefined ? all : `did you mean ${near}?${sure ? '' : ` ${all}`}`
  return new HoldfastError('INVALID_OPTIONS', `${owner}: unknown option ${brief(option)} (${hint})`, {
    effect: 'none',
    retry: 'never',
    details: { owner, option, given },
  })
}

const startsWith = (name: string, begin: string): boolean => name.toLowerCase().startsWith(begin.toLowerCase())

/** A value as a message shows it: short, on one line, never throwing. */
export function show(value: unknown): string {
  try {
    return shown(value)
  } catch {
    return typeof value === 'function' ? 'a function' : 'an object'
  }
}

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)
  if (typeof value === 'function') return value.name === '' ? 'a function' : `function ${brief(value.name)}`
  if (typeof value === 'bigint') return `${brief(String(value))}n`
  if (typeof value !== 'object' || value === null) return brief(String(value))
  if (Array.isArray(value)) return `an array of ${value.length}`
  const name: unknown = value.constructor?.name
  if (typeof name === 'string' && name !== '' && name !== 'Object') return `a ${brief(name)}`
  return `an object with ${Object.keys(value).slice(0, 5).map(brief).join(', ') || 'no keys'}`
}

const brief = (text: string): string => (/^[\x20-\x7e]{1,60}$/.test(text) ? text : JSON.stringify(text.slice(0, 60)))
