import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { isSchema, parse, type Schema } from '../../src/core/schema.ts'
import { refusedBy } from './support.ts'

const answering = (result: unknown): Schema<unknown> => ({
  '~standard': { version: 1, vendor: 'test', validate: () => result as never },
})

describe('parse', () => {
  test('answers what the schema made of the value', async () => {
    const schema = z.object({ n: z.coerce.number() })
    expect(await parse('it', schema, { n: '3', more: 1 })).toEqual({ n: 3 })
    expect(await parse('it', answering(Promise.resolve({ value: 7 })), 0)).toBe(7)
    expect(await parse('it', answering({ value: undefined, issues: undefined }), 0)).toBe(undefined)
  })

  test('says where and what is wrong, in words and as details', async () => {
    const schema = z.object({ lines: z.array(z.object({ sku: z.string() })) })
    const error = await refusedBy(parse('order o1', schema, { lines: [{ sku: 'a' }, { sku: 5 }] }))
    expect(error).toMatchObject({ code: 'INVALID_INPUT', effect: 'none', retry: 'never' })
    expect(error.message).toMatch(/^order o1 is invalid: lines\.1\.sku: /)
    expect(error.details).toEqual({ issues: [{ path: 'lines.1.sku', message: expect.any(String) }] })
  })

  test('shows five issues and counts the rest', async () => {
    const issues = (count: number) => answering({ issues: Array.from({ length: count }, (_, n) => ({ message: `m${n}`, path: [n] })) })
    expect((await refusedBy(parse('it', issues(5), 0))).message).toBe('it is invalid: 0: m0; 1: m1; 2: m2; 3: m3; 4: m4')
    expect((await refusedBy(parse('it', issues(6), 0))).message).toMatch(/4: m4; and 1 more$/)
    const seven = await refusedBy(parse('it', issues(7), 0))
    expect(seven.message).toBe('it is invalid: 0: m0; 1: m1; 2: m2; 3: m3; 4: m4; and 2 more')
    expect((seven.details as { issues: unknown[] }).issues).toHaveLength(7)
  })

  test('reads paths of every form the standard allows', async () => {
    const schema = answering({ issues: [{ message: 'a' }, { message: 'b', path: ['x', { key: 'y' }, Symbol('z'), 0] }] })
    expect((await refusedBy(parse('it', schema, 0))).message).toBe('it is invalid: a; x.y.Symbol(z).0: b')
  })

  test('an empty list of issues is a no all the same', async () => {
    expect(await refusedBy(parse('it', answering({ issues: [] }), 0))).toMatchObject({ code: 'INVALID_INPUT' })
  })
})

describe('isSchema', () => {
  const validate = () => ({ value: 1 })
  test.each<[string, unknown, boolean]>([
    ['zod', z.string(), true],
    ['an object', { '~standard': { version: 1, validate } }, true],
    ['a function, as arktype has it', Object.assign(() => {}, { '~standard': { version: 1, validate } }), true],
    ['another version', { '~standard': { version: 2, validate } }, false],
    ['no validate', { '~standard': { version: 1 } }, false],
    ['no standard', {}, false],
    ['null', null, false],
    ['undefined', undefined, false],
    ['a text', 'schema', false],
    ['a standard that is null', { '~standard': null }, false],
  ])('knows %s', (_, value, is) => {
    expect(isSchema(value)).toBe(is)
  })
})
