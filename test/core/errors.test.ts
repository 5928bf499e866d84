import { runInNewContext } from 'node:vm'
import { describe, expect, test, vi } from 'vitest'
import { abortedError, deadlinePassed } from '../../src/core/abort-errors.ts'
import { effectOf, failedWith, refused, retryOf, succeeded } from '../../src/core/effect.ts'
import { declined, failed, HoldfastError, isRefusal, refusal } from '../../src/core/errors.ts'
import { hostile } from './support.ts'

describe('HoldfastError', () => {
  test('is unknown and never, without the members that were not given', () => {
    const error = new HoldfastError('MINE', 'it broke')
    expect(error).toMatchObject({ name: 'HoldfastError', message: 'it broke', code: 'MINE', effect: 'unknown', retry: 'never' })
    for (const member of ['retryAfterMs', 'details', 'cause']) expect(Object.hasOwn(error, member)).toBe(false)
    expect(error.stack).toContain('errors.test.ts')
  })

  test('carries what it was given', () => {
    const cause = new Error('below')
    const error = new HoldfastError('MINE', 'it broke', { effect: 'none', retry: 'later', retryAfterMs: 0, details: { n: 1 }, cause })
    expect(error).toMatchObject({ effect: 'none', retry: 'later', retryAfterMs: 0, details: { n: 1 }, cause })
  })

  test('is recognised across two copies of the package', async () => {
    vi.resetModules()
    const copy = await import('../../src/core/errors.ts')
    expect(copy.HoldfastError).not.toBe(HoldfastError)
    expect(new copy.HoldfastError('MINE', '')).toBeInstanceOf(HoldfastError)
    expect(new HoldfastError('MINE', '')).toBeInstanceOf(copy.HoldfastError)
  })

  test.each<[string, unknown]>([
    ['another error', new Error('x')],
    ['undefined', undefined],
    ['null', null],
    ['a text', 'HoldfastError'],
    ['a function', () => {}],
    ['an object of the same shape', { code: 'ABORTED', effect: 'none', retry: 'later' }],
    ['an error of another realm', runInNewContext('new Error()')],
    ...hostile,
  ])('is not %s', (_, value) => {
    expect(value instanceof HoldfastError).toBe(false)
  })

  test('keeps its brand and its name out of JSON and of loops', () => {
    const error = new HoldfastError('MINE', 'it broke')
    expect(Object.keys(error).sort()).toEqual(['code', 'effect', 'retry'])
    expect(Object.getOwnPropertySymbols(error)).toEqual([])
  })
})

describe('refusal', () => {
  test('is none and later, and has no stack', () => {
    const error = refusal('BULKHEAD_FULL', 'full')
    expect(error).toMatchObject({ effect: 'none', retry: 'later' })
    expect(error.stack).toBe('HoldfastError: full')
  })

  test('says what it is told to say instead', () => {
    expect(refusal('ABORTED', 'gave up', { effect: 'unknown', retry: 'never' })).toMatchObject({ effect: 'unknown', retry: 'never' })
  })

  test('leaves the stacks of other errors as they were', () => {
    const limit = Error.stackTraceLimit
    refusal('ABORTED', 'gave up')
    expect(Error.stackTraceLimit).toBe(limit)
    const hostileOptions = {
      get effect(): 'none' {
        throw new Error('x')
      },
    }
    expect(() => refusal('ABORTED', 'gave up', hostileOptions)).toThrow('x')
    expect(Error.stackTraceLimit).toBe(limit)
  })

  test.each([
    [refusal('ABORTED', ''), true],
    [refusal('ABORTED', '', { effect: 'unknown' }), false],
    [refusal('ABORTED', '', { retry: 'never' }), false],
    [declined(''), false],
    [new Error('x'), false],
    [undefined, false],
  ])('is told apart from other errors (%#)', (error, is) => {
    expect(isRefusal(error)).toBe(is)
  })
})

describe('verdicts', () => {
  test('declined is none and never, failed is unknown and never', () => {
    const cause = new Error('below')
    expect(declined('no', { details: 1, cause })).toMatchObject({ code: 'DECLINED', effect: 'none', retry: 'never', details: 1, cause })
    expect(failed('broke', { details: 1, cause })).toMatchObject({ code: 'FAILED', effect: 'unknown', retry: 'never', details: 1, cause })
  })

  test('cannot be talked into another effect', () => {
    const lying = { effect: 'unknown', retry: 'later' } as object
    expect(declined('no', lying)).toMatchObject({ effect: 'none', retry: 'never' })
    expect(failed('broke', { effect: 'none', retry: 'later' } as object)).toMatchObject({ effect: 'unknown', retry: 'never' })
  })
})

describe('effect', () => {
  const withCode = (code: unknown) => Object.assign(new Error('x'), { code })
  test.each<[string, unknown, string, string]>([
    ['ours that says none', declined('no'), 'none', 'never'],
    ['ours that says unknown', failed('broke'), 'unknown', 'never'],
    ['a refused connection', withCode('ECONNREFUSED'), 'none', 'later'],
    ['an unknown host', withCode('ENOTFOUND'), 'none', 'later'],
    ['a name server away', withCode('EAI_AGAIN'), 'none', 'later'],
    ['a reset connection', withCode('ECONNRESET'), 'unknown', 'later'],
    ['a code that is no text', withCode(7), 'unknown', 'later'],
    ['fetch, whose cause says it', new TypeError('fetch failed', { cause: withCode('ECONNREFUSED') }), 'none', 'later'],
    ['a cause behind a code', Object.assign(withCode('ECONNRESET'), { cause: withCode('ECONNREFUSED') }), 'unknown', 'later'],
    ['an error without a code', new Error('x'), 'unknown', 'later'],
    ['a status that is thrown', { status: 503 }, 'unknown', 'later'],
    ['a text', 'x', 'unknown', 'later'],
    ['null', null, 'unknown', 'later'],
    ['undefined', undefined, 'unknown', 'later'],
    ...hostile.map(([name, value]): [string, unknown, string, string] => [name, value, 'unknown', 'later']),
  ])('of %s', (_, error, effect, retry) => {
    expect(effectOf(error)).toBe(effect)
    expect(retryOf(error)).toBe(retry)
    const outcome = failedWith(error)
    expect([outcome.ok, !outcome.ok && outcome.error === error, !outcome.ok && outcome.effect]).toEqual([false, true, effect])
  })

  test('of what succeeded and of what was turned away', () => {
    expect(succeeded(3)).toEqual({ ok: true, value: 3 })
    expect(refused('no')).toEqual({ ok: false, error: 'no', effect: 'none' })
  })
})

describe('an aborted call', () => {
  test('is told why the caller gave up, and whether the work had begun', () => {
    const reason = new Error('tired')
    expect(abortedError({ reason }, true)).toMatchObject({ code: 'ABORTED', effect: 'unknown', retry: 'never', cause: reason })
    expect(abortedError({ reason }, false)).toMatchObject({ code: 'ABORTED', effect: 'none', retry: 'never', cause: reason })
  })

  test.each(['DEADLINE', 'TIMEOUT'] as const)('hears %s again, with an effect of its own', (code) => {
    const reason = refusal(code, 'late', { effect: 'unknown', cause: 1 })
    expect(abortedError({ reason }, false)).toMatchObject({ code, message: 'late', effect: 'none', retry: 'later', cause: 1 })
    expect(abortedError({ reason }, true)).toMatchObject({ code, effect: 'unknown', retry: 'later' })
  })

  test('does not take another of our errors for its own', () => {
    expect(abortedError({ reason: declined('no') }, true)).toMatchObject({ code: 'ABORTED' })
    expect(deadlinePassed()).toMatchObject({ code: 'DEADLINE', effect: 'unknown', retry: 'later' })
  })
})
