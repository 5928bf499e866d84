import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toJson } from '../../src/core/json.ts'
import { thrownBy } from './support.ts'

class Point {
  x = 1
}
class List extends Array<number> {}

/** What JSON leaves out: properties that are undefined. */
function leftOut(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(leftOut)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, each]) => each !== undefined)
      .map(([key, each]) => [key, leftOut(each)]),
  )
}

describe('toJson', () => {
  test('reads back equal, or refuses', () => {
    const anything = fc.anything({
      withBigInt: true,
      withBoxedValues: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withSet: true,
      withSparseArray: true,
      withTypedArray: true,
      withUnicodeString: true,
    })
    fc.assert(
      fc.property(fc.oneof(anything, fc.jsonValue()), (value) => {
        let text: string
        try {
          text = toJson('it', value)
        } catch (error) {
          expect(error).toMatchObject({ code: 'NOT_JSON', effect: 'none', retry: 'never' })
          return
        }
        expect(JSON.parse(text)).toStrictEqual(value === undefined ? null : leftOut(value))
      }),
      { numRuns: 2_000 },
    )
  })

  test('accepts all that JSON can say', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        const sendable: unknown = JSON.parse(JSON.stringify(value).replaceAll('-0', '0').replaceAll('__proto__', 'proto'))
        expect(JSON.parse(toJson('it', sendable))).toEqual(sendable)
      }),
    )
  })

  test('leaves out properties that are undefined, and says null for nothing', () => {
    expect(toJson('it', { a: undefined, b: 1 })).toBe('{"b":1}')
    expect(toJson('it', undefined)).toBe('null')
  })

  test('accepts one object in two places, and what another realm made', () => {
    const shared = { a: 1 }
    expect(toJson('it', [shared, { shared }, shared])).toBe('[{"a":1},{"shared":{"a":1}},{"a":1}]')
    expect(toJson('it', runInNewContext('({ a: [1, { b: 2 }] })'))).toBe('{"a":[1,{"b":2}]}')
    expect(toJson('it', Object.assign(Object.create(null), { a: 1 }))).toBe('{"a":1}')
  })

  const cycle: Record<string, unknown> = {}
  cycle.a = { b: [cycle] }
  const looped: unknown[] = []
  looped.push([looped])
  test.each<[unknown, string, string]>([
    [{ at: new Date(0) }, 'it.at', 'Date'],
    [[1, new Map()], 'it[1]', 'Map'],
    [new Set(), 'it', 'Set'],
    [new Point(), 'it', 'Point'],
    [Object.create(new Point()), 'it', 'Point'],
    [new (class {})(), 'it', 'a class instance'],
    [{ a: { b: 1n } }, 'it.a.b', 'bigint'],
    [Symbol('x'), 'it', 'symbol'],
    [() => 1, 'it', 'function'],
    [{ a: -0 }, 'it.a', '-0'],
    [Number.NaN, 'it', 'NaN'],
    [[Number.NEGATIVE_INFINITY], 'it[0]', '-Infinity'],
    [[undefined], 'it[0]', 'undefined in an array'],
    [Array(2), 'it[0]', 'a hole in an array'],
    [{ toJSON: () => 1 }, 'it', 'an object with toJSON'],
    [Object.assign([1], { toJSON: () => 1 }), 'it', 'an array with toJSON'],
    [Object.assign([1], { more: 1 }), 'it', 'an array with more than its elements'],
    [Object.assign([1], { [Symbol('x')]: 1 }), 'it', 'an array with more than its elements'],
    [List.of(1, 2), 'it', 'List'],
    [Object.setPrototypeOf([1], null), 'it', 'an unusual array'],
    [{ [Symbol('x')]: 1 }, 'it', 'a symbol key'],
    [JSON.parse('{"__proto__":1}'), 'it', 'a key named __proto__'],
    [cycle, 'it.a.b[0]', 'a cycle'],
    [looped, 'it[0][0]', 'a cycle'],
    [new Error('x'), 'it', 'Error'],
    [Buffer.from('x'), 'it', 'Buffer'],
  ])('names the place and what stands there (%#)', (value, path, found) => {
    const error = thrownBy(() => toJson('it', value))
    expect(error.details).toEqual({ path, found })
    expect(error.message).toBe(`${path}: ${found} does not survive JSON; store a string or a number instead`)
  })

  test('bounds how deep a value nests, exactly', () => {
    const nested = (depth: number): unknown => (depth === 0 ? 1 : depth % 2 === 0 ? [nested(depth - 1)] : { a: nested(depth - 1) })
    expect(() => toJson('it', nested(200))).not.toThrow()
    expect(thrownBy(() => toJson('it', nested(201)))).toMatchObject({ code: 'NOT_JSON', details: { found: 'nested deeper than 200' } })
    expect(() => toJson('it', nested(5_000))).toThrow('nested deeper than 200')
  })
})
