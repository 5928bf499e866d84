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
  } else {
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype !== Object.prototype && prototype !== null) refuse(path, value.constructor?.name || 'a class instance')
    if (typeof (value as { toJSON?: unknown }).toJSON === 'function') refuse(path, 'an object with toJSON')
    if (Object.getOwnPropertySymbols(value).length > 0) refuse(path, 'a symbol key')
    for (const key of Object.keys(value)) {
      if (key === '__proto__') refuse(path, 'a key named __proto__')
      check(`${path}.${key}`, (value as Record<string, unknown>)[key], above, depth + 1)
    }
  }
  above.pop()
}

function refuse(path: string, found: string): never {
  throw new HoldfastError('NOT_JSON', `${path}: ${found} does not survive JSON; store a string or a number instead`, {
    effect: 'none',
    retry: 'never',
    details: { path, found },
  })
}
