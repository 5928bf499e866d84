import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { HoldfastError } from '../../src/core/errors.ts'
import { policies, policy } from '../../src/core/policy.ts'
import { retry } from '../../src/resilience/retry.ts'
import { saga } from '../../src/saga/index.ts'

const Order = z.object({ id: z.string() })
const run = async () => {}
const undo = async () => {}
const order = () => saga('order', { version: 1, input: Order })
// What JavaScript callers can get wrong.
const loose = (value: unknown) => value as never

function refusalOf(build: () => unknown): HoldfastError {
  try {
    build()
  } catch (error) {
    if (error instanceof HoldfastError) return error
    throw error
  }
  throw new Error('it was expected to throw')
}

describe('a saga definition', () => {
  test.each<[string, string, RegExp, () => unknown]>([
    ['a name that is no text', 'INVALID_OPTIONS', /saga: name must be a text.*got 7/, () => saga(loose(7), { version: 1, input: Order })],
    ['an empty name', 'INVALID_OPTIONS', /saga: name must be/, () => saga('', { version: 1, input: Order })],
    ['no options', 'INVALID_OPTIONS', /saga order: version must be/, () => saga('order', loose(undefined))],
    [
      'version 0',
      'INVALID_OPTIONS',
      /saga order: version must be a whole number.*got 0/,
      () => saga('order', { version: 0, input: Order }),
    ],
    [
      'an input that is no schema',
      'INVALID_OPTIONS',
      /saga order: input must be a Standard Schema/,
      () => saga('order', loose({ version: 1, input: {} })),
    ],
    ['a step without options', 'INVALID_OPTIONS', /saga order: step a: .*run/, () => order().step('a', loose(undefined))],
    [
      'a step without run',
      'INVALID_OPTIONS',
      /saga order: step a: run must be a function, got undefined/,
      () => order().step('a', loose({ undo })),
    ],
    [
      'a misspelt option',
      'INVALID_OPTIONS',
      /step a: unknown option undoo \(did you mean undo\?\)/,
      () => order().step('a', loose({ run, undoo: undo })),
    ],
    [
      'a step without undo',
      'INVALID_OPTIONS',
      /step a: undo must be a function, unless the step says readOnly: true/,
      () => order().step('a', { run }),
    ],
    [
      'a read-only step with undo',
      'INVALID_OPTIONS',
      /step a: undo must be absent where readOnly is true/,
      () => order().step('a', { run, undo, readOnly: true }),
    ],
    ['a pivot with undo', 'INVALID_OPTIONS', /pivot p: undo must be absent/, () => order().pivot('p', { run, undo })],
    ['a read-only pivot', 'INVALID_OPTIONS', /pivot p: readOnly must be absent/, () => order().pivot('p', { run, readOnly: true })],
    [
      'a second pivot',
      'INVALID_OPTIONS',
      /pivot q: a saga has one pivot, and p is it$/,
      () => order().pivot('p', { run }).pivot('q', { run }),
    ],
    [
      'undo after the pivot',
      'INVALID_OPTIONS',
      /step a: undo must be absent: after the pivot p/,
      () => order().pivot('p', { run }).step('a', { run, undo }),
    ],
    [
      'timeoutMs 0',
      'INVALID_OPTIONS',
      /step a: timeoutMs must be a number of at least 1, got 0/,
      () => order().step('a', { run, undo, timeoutMs: 0 }),
    ],
    ['no attempts', 'INVALID_OPTIONS', /step a: retry: attempts must be/, () => order().step('a', { run, undo, retry: { attempts: 0 } })],
    [
      'a policy that is none',
      'INVALID_OPTIONS',
      /step a: policy must be made by a policy factory/,
      () => order().step('a', { run, undo, policy: loose(() => 1) }),
    ],
    [
      'a policy that retries',
      'RETRIES_TWICE',
      /saga order: step a: policy must not contain a retry/,
      () => order().step('a', { run, undo, policy: policies(retry()) }),
    ],
    [
      'a step named input',
      'NAME_REUSED',
      /saga order: step input: the name "input" is taken by the saga's input/,
      () => order().step('input', { run, undo }),
    ],
    [
      'a reused name',
      'NAME_REUSED',
      /saga order: pivot a: the name "a" is taken by another step/,
      () => order().step('a', { run, undo }).pivot('a', { run }),
    ],
    ['a lone surrogate', 'INVALID_OPTIONS', /the name of a step must be/, () => order().step('\ud800', { run, undo })],
    ['__proto__', 'INVALID_OPTIONS', /the name of a step must be/, () => order().step('__proto__', { run, undo })],
    ['no steps', 'INVALID_OPTIONS', /saga order: steps must be at least one/, () => order().returns(() => 1)],
    [
      'no output function',
      'INVALID_OPTIONS',
      /saga order: returns must be given a function/,
      () => order().pivot('p', { run }).returns(loose(1)),
    ],
  ])('refuses %s', (_, code, message, build) => {
    const error = refusalOf(build)
    expect(error).toMatchObject({ code, effect: 'none', retry: 'never' })
    expect(error.message).toMatch(message)
  })

  test('takes a policy without a retry', () => {
    const pass = policy('pass', (next) => (input, ctx) => next(input, ctx))
    expect(
      order()
        .step('a', { run, undo, policy: pass })
        .returns(() => 1).name,
    ).toBe('order')
  })

  test('is unchanged by what is built on it', () => {
    const base = order().step('a', { run, undo })
    const one = base.step('b', { run, undo }).returns(() => 1)
    const two = base.pivot('b', { run }).returns(() => 2)
    expect(one.definitionHash).not.toBe(two.definitionHash)
    expect(base.returns(() => 3).definitionHash).toBe(
      order()
        .step('a', { run, undo })
        .returns(() => 4).definitionHash,
    )
  })

  test('has a hash that follows names, kinds, order and version, and nothing else', () => {
    const hash = (version: number, ...names: string[]) =>
      names.reduce((builder, name) => builder.step(name, { run, undo }) as never, saga('order', { version, input: Order })).returns(() => 1)
        .definitionHash
    const variants = [hash(1, 'a', 'b'), hash(1, 'b', 'a'), hash(2, 'a', 'b'), hash(1, 'a')]
    variants.push(
      saga('other', { version: 1, input: Order })
        .step('a', { run, undo })
        .step('b', { run, undo })
        .returns(() => 1).definitionHash,
    )
    variants.push(
      order()
        .step('a', { run, undo })
        .step('b', { run, readOnly: true })
        .returns(() => 1).definitionHash,
    )
    expect(new Set(variants).size).toBe(variants.length)
    const same = order()
      .step('a', { run: async () => 5, undo, timeoutMs: 9 })
      .step('b', { run, undo, retry: { attempts: 9 } })
    expect(same.returns(() => 9).definitionHash).toBe(hash(1, 'a', 'b'))
  })

  test('is drawn forwards and backwards', () => {
    const drawn = order()
      .step('a', { run, undo })
      .step('r', { run, readOnly: true })
      .step('b', { run, undo })
      .pivot('p "x"', { run })
      .step('z', { run })
    expect(drawn.returns(() => 1).toMermaid()).toBe(`flowchart LR
  start(("order"))
  s0["a"]
  s1(["r"])
  s2["b"]
  s3{{"p #quot;x#quot;"}}
  s4[["z"]]
  done(("done"))
  start --> s0
  s0 --> s1
  s1 --> s2
  s2 --> s3
  s3 --> s4
  s4 --> done
  u2["undo b"]
  u0["undo a"]
  undone(("undone"))
  s2 -.-> u2
  s0 -.-> u0
  u2 -.-> u0
  u0 -.-> undone
`)
  })
})
