import { describe, expect, test } from 'vitest'
import { defaultClock } from '../../src/core/clock.ts'
import { checkName, checkOptions, fits, invalidOption, REQUIRED, type Rule, show } from '../../src/core/options.ts'
import * as r from '../../src/core/rules.ts'
import { testClock } from '../../src/testing/test-clock.ts'
import { hostile, rubbish, thrownBy } from './support.ts'

const rules = { timeoutMs: r.durationMs({ min: 1, default: 50 }), name: r.text('it'), extra: r.optional(r.flag(true)) }

describe('checkOptions', () => {
  test('fills in the defaults, and keeps what was given', () => {
    expect(checkOptions('it', undefined, rules)).toEqual({ timeoutMs: 50, name: 'it', extra: undefined })
    expect(checkOptions('it', { timeoutMs: 7, extra: false, name: undefined }, rules)).toEqual({ timeoutMs: 7, name: 'it', extra: false })
    expect(checkOptions('it', Object.create(null), rules).timeoutMs).toBe(50)
  })

  test('names owner, option, rule and value', () => {
    expect(thrownBy(() => checkOptions('guard', { timeoutMs: 0 }, rules))).toMatchObject({
      code: 'INVALID_OPTIONS',
      effect: 'none',
      retry: 'never',
      message: 'guard: timeoutMs must be a number of at least 1, got 0',
      details: { owner: 'guard', option: 'timeoutMs', given: 0 },
    })
  })

  test('refuses an option that is missing where nothing can serve', () => {
    const needed = { timeoutMs: r.required(r.durationMs({ default: 1 })) }
    expect(needed.timeoutMs.absent).toBe(REQUIRED)
    expect(thrownBy(() => checkOptions('it', {}, needed)).message).toBe('it: timeoutMs must be a number of at least 0, got undefined')
    expect(checkOptions('it', { timeoutMs: 0 }, needed)).toEqual({ timeoutMs: 0 })
  })

  test.each([
    ['timeout', 'it: unknown option timeout (did you mean timeoutMs?)'],
    ['TIMEOUTMS', 'it: unknown option TIMEOUTMS (did you mean timeoutMs?)'],
    ['Named', 'it: unknown option Named (did you mean name?)'],
    ['retries', 'it: unknown option retries (it takes timeoutMs, name, extra)'],
    ['timelimit', 'it: unknown option timelimit (did you mean timeoutMs? it takes timeoutMs, name, extra)'],
    ['', 'it: unknown option "" (it takes timeoutMs, name, extra)'],
    ['constructor', 'it: unknown option constructor (it takes timeoutMs, name, extra)'],
    ['a\nb', 'it: unknown option "a\\nb" (it takes timeoutMs, name, extra)'],
  ])('refuses %j, with a hint', (name, message) => {
    const error = thrownBy(() => checkOptions('it', { [name]: undefined }, rules))
    expect(error).toMatchObject({ code: 'INVALID_OPTIONS', message, details: { owner: 'it', option: name } })
  })

  test('says so where there are no options at all', () => {
    expect(thrownBy(() => checkOptions('it', { a: 1 }, {})).message).toBe('it: unknown option a (it takes no options)')
  })

  test('refuses options that are inherited and unknown, an AbortSignal for one', () => {
    expect(thrownBy(() => checkOptions('it', new AbortController().signal, rules)).message).toContain('unknown option')
    expect(thrownBy(() => checkOptions('it', Object.create({ timeoutMs: 0 }), rules)).message).toContain('timeoutMs must be')
    expect(checkOptions('it', Object.create({ timeoutMs: 3 }), rules).timeoutMs).toBe(3)
  })

  const objects = ['an object', 'a date', 'a map', 'an object with throwing getters', 'an object without a prototype']
  test.each(rubbish.filter(([name]) => !objects.includes(name)))('refuses %s', (_, value) => {
    expect(thrownBy(() => checkOptions('it', value, rules)).message).toMatch(/^it: options must be an object, got /)
  })

  test('refuses an option whose getter throws, and reads each of the others once', () => {
    const reads: string[] = []
    const options = {
      get timeoutMs() {
        reads.push('timeoutMs')
        return reads.length === 1 ? 5 : 'rubbish'
      },
    }
    expect(checkOptions('it', options, rules).timeoutMs).toBe(5)
    expect(reads).toEqual(['timeoutMs'])
    const throwing = {
      get name() {
        throw new Error('do not touch')
      },
    }
    expect(thrownBy(() => checkOptions('it', throwing, rules)).message).toBe('it: options must be an object, got an object with name')
  })

  test('reads getters of a class', () => {
    class Settings {
      get timeoutMs() {
        return 9
      }
    }
    expect(checkOptions('it', new Settings(), rules).timeoutMs).toBe(9)
  })

  test('takes a value that fails when it is looked at for one that does not fit', () => {
    const picky = { keys: r.any('texts', (value) => Object.values(value as object).length === 0, {}) }
    for (const [, value] of hostile.slice(0, 2))
      expect(thrownBy(() => checkOptions('it', { keys: value }, picky)).message).toBe('it: keys must be texts, got an object')
    expect(fits(picky.keys, {})).toBe(true)
  })
})

describe('rules', () => {
  const clock = testClock()
  const fn = () => 1
  const cases: Array<[string, Rule<unknown>, string, unknown[], unknown[]]> = [
    ['whole', r.whole({ default: 1 }), 'a whole number of at least 0', [0, 1, Number.MAX_SAFE_INTEGER], [2 ** 53]],
    ['whole, in a range', r.whole({ min: 2, max: 4, default: 2 }), 'a whole number from 2 to 4', [2, 3, 4], [1, 5]],
    ['finite', r.finite({ default: 1 }), 'a number of at least 0', [0, 1.5], [-0.1]],
    ['finite, unbounded', r.finite({ max: Number.POSITIVE_INFINITY, default: 1 }), 'a number of at least 0', [1e300], []],
    ['a duration', r.durationMs({ min: 1, max: 10, default: 1 }), 'a number from 1 to 10', [1, 1.5, 10], [0.9, 10.1]],
    ['a ratio', r.ratio({ default: 1 }), 'a number from 0 to 1', [0, 0.5, 1], [1.1]],
    ['a ratio above 0', r.ratio({ min: Number.MIN_VALUE, default: 1 }), 'a number above 0, at most 1', [0.1, 1], [0]],
    ['a flag', r.flag(true), 'true or false', [true, false], [1, 0]],
    ['a text', r.text('x'), 'a text of 1 to 200 characters', ['a', 'a'.repeat(200)], ['', 'a'.repeat(201)]],
    ['a longer text', r.text('x', 255), 'a text of 1 to 255 characters', ['a'.repeat(255)], ['a'.repeat(256)]],
    ['one of', r.oneOf(['a', 'b'], 'a'), "one of 'a', 'b'", ['a', 'b'], ['c', 'A', '']],
    ['a function', r.fn(fn), 'a function', [fn, class {}, async () => {}], [{}]],
    ['chance', r.random, 'a function', [Math.random], [0.5]],
    ['a clock', r.clock, 'a clock with nowMs, epochMs and setTimer', [clock, defaultClock], [{ nowMs: fn, epochMs: fn }, fn, Date]],
    ['anything', r.any('odd', (n) => n === 3, 5), 'odd', [3], [4]],
  ]

  test.each(cases)('%s', (_, rule, must, good, bad) => {
    expect(rule.must).toBe(must)
    for (const value of good) expect([value, fits(rule, value)]).toEqual([value, true])
    for (const value of bad) expect([value, fits(rule, value)]).toEqual([value, false])
  })

  test.each(cases)('%s does not take rubbish', (name, rule, _, good) => {
    for (const [kind, value] of rubbish) {
      const fitting = good.some((each) => typeof each === typeof value && typeof value !== 'object')
      if (fitting) continue
      expect([name, kind, fits(rule, value)]).toEqual([name, kind, false])
    }
    for (const value of [Number.NaN, Number.NEGATIVE_INFINITY, -1]) expect(fits(rule, value)).toBe(false)
  })

  test('have a default, but for those that are optional or required', () => {
    expect(r.whole({ default: 4 }).absent).toBe(4)
    expect(r.flag(false).absent).toBe(false)
    expect(r.oneOf(['a', 'b'], 'b').absent).toBe('b')
    expect(r.clock.absent).toBe(defaultClock)
    expect(r.optional(r.flag(true)).absent).toBe(undefined)
    expect(r.required(r.flag(true)).absent).toBe(REQUIRED)
    const drawn = (r.random.absent as () => number)()
    expect(drawn).toBeGreaterThanOrEqual(0)
    expect(drawn).toBeLessThan(1)
  })
})

test('names are texts of 1 to 200 characters', () => {
  for (const name of ['a', 'a'.repeat(200)]) expect(() => checkName('it', name)).not.toThrow()
  for (const name of ['', 'a'.repeat(201), undefined, 5, {}])
    expect(thrownBy(() => checkName('it', name)).message).toMatch(/^it: name must be a text of 1 to 200 characters, got /)
})

describe('show', () => {
  test.each<[unknown, string]>([
    ['three', '"three"'],
    ['a\nb', '"a\\nb"'],
    ['x'.repeat(61), `"${'x'.repeat(60)}…"`],
    [3, '3'],
    [-0, '0'],
    [12n, '12n'],
    [undefined, 'undefined'],
    [null, 'null'],
    [true, 'true'],
    [Symbol('x'), 'Symbol(x)'],
    [[1, 2], 'an array of 2'],
    [{}, 'an object with no keys'],
    [{ a: 1, b: 2, c: 3, d: 4, e: 5, f: 6 }, 'an object with a, b, c, d, e'],
    [{ 'a\nb': 1 }, 'an object with "a\\nb"'],
    [{ constructor: { name: 5 } }, 'an object with constructor'],
    [Object.create(null), 'an object with no keys'],
    [new Date(0), 'a Date'],
    [new (class {})(), 'an object with no keys'],
    [() => 1, 'a function'],
    [function go() {}, 'function go'],
    [Object.defineProperty(() => {}, 'name', { value: Symbol('x') }), 'a function'],
  ])('is short and on one line (%#)', (value, text) => {
    expect(show(value)).toBe(text)
  })

  test('never fails over what it shows', () => {
    for (const [name, value] of hostile.slice(0, 3)) expect([name, show(value)]).toEqual([name, 'an object'])
    const { proxy, revoke } = Proxy.revocable(() => {}, {})
    revoke()
    expect(show(proxy)).toBe('a function')
  })

  test('never grows with what is shown', () => {
    const long = 'x'.repeat(1_000_000)
    for (const value of [long, { [long]: 1 }, Symbol(long), 10n ** 100_000n, Object.defineProperty(() => {}, 'name', { value: long })])
      expect(show(value).length).toBeLessThan(100)
    expect(invalidOption('it', 'name', 'short', long).message.length).toBeLessThan(120)
  })
})
