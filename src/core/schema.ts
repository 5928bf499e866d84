import { HoldfastError } from './errors.ts'

/** One problem a schema found, and where. */
interface SchemaIssue {
  readonly message: string
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined
}

type SchemaResult<T> = { readonly value: T; readonly issues?: undefined } | { readonly issues: readonly SchemaIssue[] }

/**
 * A Standard Schema, version 1: what zod, valibot, arktype and others implement, so that any of them checks payloads here.
 * `T` is the type after validation.
 *
 * Source: https://standardschema.dev
 */
export interface Schema<T> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<T> | Promise<SchemaResult<T>>
    readonly types?: { readonly input: unknown; readonly output: T } | undefined
  }
}

/** Whether a value can be used as a schema. */
export function isSchema(value: unknown): value is Schema<unknown> {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
  const standard = (value as { '~standard'?: { version?: unknown; validate?: unknown } })['~standard']
  return standard?.version === 1 && typeof standard.validate === 'function'
}

/**
 * Checks a value and returns what the schema made of it.
 *
 * @throws {HoldfastError} `INVALID_INPUT` (effect none, retry never), with the issues in `details.issues`, when the value does not fit.
 */
export async function parse<T>(what: string, schema: Schema<T>, value: unknown): Promise<T> {
  const result = await schema['~standard'].validate(value)
  if (result.issues === undefined) return result.value
  const issues = result.issues.map((issue) => ({ path: pathOf(issue), message: issue.message }))
  const shown = issues.slice(0, 5).map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))
  const more = issues.length > 5 ? `; and ${issues.length - 5} more` : ''
  throw new HoldfastError('INVALID_INPUT', `${what} is invalid: ${shown.join('; ')}${more}`, {
    effect: 'none',
    retry: 'never',
    details: { issues },
  })
}

const pathOf = (issue: SchemaIssue): string =>
  (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part)).join('.')
