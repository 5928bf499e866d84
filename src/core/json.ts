import { HoldfastError } from './errors.ts'

/** How deep a stored value may nest. */
const DEPTH_MAX = 200

/**
 * Serialises a value, refusing everything JSON would change or drop silently: a value that is stored must read back equal.
 * Accepts null, booleans, finite numbers (but not -0), strings, arrays, plain objects; a property that is `undefined` is left out, as JSON does.
 *
 * @throws {HoldfastError} `NOT_JSON` (effect none, retry never) naming the place and what stands there, for example `reserve.at: Date`.
 */
export function toJson(what: string, value: unknown): string {
  check(what, value, [], 0)
  return JSON.stringify(value === undefined ? null : value)
}

function check(path: string, value: unknown, above: object[], depth: number): void {
  if (value === null || value === undefined) return
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return
    case 'number':
      if (!Number.isFinite(value) || Object.is(value, -0)) refuse(path, Object.is(value, -0) ? '-0' : String(value))
      return
    case 'object':
      checkObject(path, value, above, depth)
      return
    default:
      refuse(path, typeof value)
  }
}

function checkObject(path: string, value: object, above: object[], depth: number): void {
  if (above.includes(value)) refuse(path, 'a cycle')
  if (depth >= DEPTH_MAX) refuse(path, `nested deeper than ${DEPTH_MAX}`)
  above.push(value)
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      if (value[i] === undefined) refuse(`${path}[${i}]`, i in value ? 'undefined in an array' : 'a hole in an array')
      check(`${path}[${i}]`, value[i], above, depth + 1)
    }
    checkArray(path, value)
  } else {
    if (ancestors(value) > 1) refuse(path, nameOf(value) || 'a class instance')
    if (typeof (value as { toJSON?: unknown }).toJSON === 'function') refuse(path, 'an object with toJSON')
    if (Object.getOwnPropertySymbols(value).length > 0) refuse(path, 'a symbol key')
    for (const key of Object.keys(value)) {
      if (key === '__proto__') refuse(path, 'a key named __proto__')
      check(`${path}.${key}`, (value as Record<string, unknown>)[key], above, depth + 1)
    }
  }
  above.pop()
}

/** What of an array is not an element. */
function checkArray(path: string, value: unknown[]): void {
  if (ancestors(value) !== 2) refuse(path, nameOf(value) || 'an unusual array')
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') refuse(path, 'an array with toJSON')
  if (Reflect.ownKeys(value).length !== value.length + 1) refuse(path, 'an array with more than its elements')
}

/** Counted, not compared: what Node makes (the body of a response) has the prototypes of another realm in a test runner's sandbox. */
function ancestors(value: object): number {
  let count = 0
  for (let at: unknown = Object.getPrototypeOf(value); at !== null; at = Object.getPrototypeOf(at)) count += 1
  return count
}

const nameOf = (value: object): string => String(value.constructor?.name ?? '')

function refuse(path: string, found: string): never {
  throw new HoldfastError('NOT_JSON', `${path}: ${found} does not survive JSON; store a string or a number instead`, {
    effect: 'none',
    retry: 'never',
    details: { path, found },
  })
}
