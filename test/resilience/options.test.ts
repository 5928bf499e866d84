import { describe, expect, test } from 'vitest'
import { bulkhead, circuitBreaker, consecutive, countWindow, fallback, policies, retry, timeout, timeWindow } from '../../src/index.ts'
import { codeOf, thrownBy } from './support.ts'

type Factory = (options: never) => unknown
const factories: Record<string, Factory> = { circuitBreaker, bulkhead, retry, timeout, countWindow, timeWindow }
/** What else an owner has to be given before the option in question is looked at. */
const beside: Record<string, object> = {
  timeout: { timeoutMs: 10 },
  countWindow: { calls: 10 },
  timeWindow: { windowMs: 100, slowCallMs: 10 },
}

const make = (owner: string, options: object): unknown => (factories[owner] as Factory)({ ...beside[owner], ...options } as never)

/** Owner, option, the words of the rule, values that break it, values at its edges. */
type Range = readonly [owner: string, option: string, must: string, bad: readonly unknown[], good: readonly unknown[]]
const wholeFrom = (min: number) =>
  [`a whole number of at least ${min}`, [min - 1, min + 0.5, '3', Number.NaN, Infinity, null], [min]] as const
const msFrom = (min: number) =>
  [`a number of at least ${min}`, [min - 0.001, '3', Number.NaN, Infinity, -Infinity, null, 2 ** 54], [min, min + 0.5]] as const
const aRatio = ['a number above 0, at most 1', [0, -0.5, 1.2, Number.NaN, '0.5', null], [1, 0.001, Number.MIN_VALUE]] as const
const aText = ['a text of 1 to 200 characters', ['', 'x'.repeat(201), 7, null], ['x', 'x'.repeat(200)]] as const
const aFunction = ['a function', ['x', {}, null, 1], [() => 'success']] as const
const aClock = ['a clock with nowMs, epochMs and setTimer', [{}, null, 'now', { nowMs: () => 0 }], []] as const

const ranges: readonly Range[] = [
  ['circuitBreaker', 'openMs', ...msFrom(1)],
  ['circuitBreaker', 'openMaxMs', 'a number of at least 1', [0, '1', Number.NaN, null], []],
  ['circuitBreaker', 'probes', ...wholeFrom(1)],
  ['circuitBreaker', 'probeTimeoutMs', ...msFrom(1)],
  ['circuitBreaker', 'name', ...aText],
  ['circuitBreaker', 'classify', ...aFunction],
  ['circuitBreaker', 'clock', ...aClock],
  [
    'circuitBreaker',
    'trips',
    'a trip or a non-empty array of trips: consecutive(), countWindow(), timeWindow()',
    [[], {}, null, 5, [consecutive(1), null], () => consecutive(1)],
    [consecutive(1), [consecutive(1), timeWindow({ windowMs: 10 })]],
  ],
  ['bulkhead', 'concurrent', ...wholeFrom(1)],
  ['bulkhead', 'queued', ...wholeFrom(0)],
  ['bulkhead', 'name', ...aText],
  ['retry', 'attempts', ...wholeFrom(1)],
  ['retry', 'delayMs', ...msFrom(0)],
  ['retry', 'delayMaxMs', 'a number of at least 0', [-1, '1', Number.NaN, null], []],
  ['retry', 'elapsedMaxMs', ...msFrom(0)],
  [
    'retry',
    'backoff',
    "'constant', 'exponential', 'decorrelated', or a function of the attempt and the error",
    ['linear', '', null, 1],
    ['constant', 'exponential', 'decorrelated'],
  ],
  ['retry', 'retryIf', ...aFunction],
  ['retry', 'random', ...aFunction],
  ['retry', 'clock', ...aClock],
  ['timeout', 'timeoutMs', ...msFrom(1)],
  ['timeout', 'name', ...aText],
  ['timeout', 'clock', ...aClock],
  ['countWindow', 'calls', 'a whole number from 1 to 100000', [0, 1.5, 100_001, null], [100_000]],
  ['countWindow', 'failureRatio', ...aRatio],
  ['countWindow', 'minimumCalls', 'a whole number from 1 to 100000', [0, 1.5, 100_001, null], [1, 10]],
  ['timeWindow', 'windowMs', ...msFrom(10)],
  ['timeWindow', 'failureRatio', ...aRatio],
  ['timeWindow', 'minimumCalls', ...wholeFrom(1)],
  ['timeWindow', 'slowCallMs', ...msFrom(0)],
  ['timeWindow', 'slowRatio', ...aRatio],
]

const shown = (value: unknown): string | RegExp =>
  typeof value === 'string'
    ? value.length > 60
      ? /…"$/
      : JSON.stringify(value)
    : Array.isArray(value)
      ? `an array of ${value.length}`
      : value === null || typeof value !== 'object'
        ? typeof value === 'function'
          ? /a function$/
          : String(value)
        : /an object with/

describe.each(ranges)('%s: %s', (owner, option, must, bad, good) => {
  test.each(bad.map((value) => [value]))('refuses %j, naming the option, its range and the value', (value) => {
    const error = thrownBy(() => make(owner, { [option]: value }))
    expect(error).toMatchObject({ code: 'INVALID_OPTIONS', effect: 'none', retry: 'never', details: { owner, option, given: value } })
    expect(error.message).toContain(`${owner}: ${option} must be ${must}, got `)
    expect(error.message).toMatch(typeof shown(value) === 'string' ? new RegExp(`${escaped(shown(value) as string)}$`) : shown(value))
  })

  test('takes its edges, and undefined as absent', () => {
    for (const value of good) expect(() => make(owner, { [option]: value })).not.toThrow()
    const absent = () => make(owner, { [option]: undefined })
    if (['timeoutMs', 'calls', 'windowMs'].includes(option))
      expect(thrownBy(absent).message).toContain(`${option} must be ${must}, got undefined`)
    else expect(absent).not.toThrow()
  })
})

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

test.each(Object.keys(factories))('%s refuses an option it does not know, and options that are no object', (owner) => {
  const unknown = thrownBy(() => make(owner, { treshold: 5 }))
  expect(unknown.message).toMatch(new RegExp(`^${owner}: unknown option treshold \\(it takes `))
  for (const rubbish of [5, 'x', null, [], true])
    expect(thrownBy(() => (factories[owner] as Factory)(rubbish as never)).message).toContain(`${owner}: options must be an object, got`)
})

describe('options that contradict each other are refused', () => {
  test.each([
    ['circuitBreaker', { openMs: 500, openMaxMs: 499 }, 'circuitBreaker: openMaxMs must be at least openMs (500), got 499'],
    ['circuitBreaker', { openMaxMs: 10_000 }, 'circuitBreaker: openMaxMs must be at least openMs (30000), got 10000'],
    ['retry', { delayMs: 500, delayMaxMs: 499 }, 'retry: delayMaxMs must be at least delayMs (500), got 499'],
    ['retry', { delayMaxMs: 50 }, 'retry: delayMaxMs must be at least delayMs (100), got 50'],
    ['countWindow', { calls: 5, minimumCalls: 6 }, 'countWindow: minimumCalls must be at most calls (5), got 6'],
    [
      'timeWindow',
      { slowCallMs: undefined, slowRatio: 0.5 },
      'timeWindow: slowRatio must be given beside slowCallMs, without which no call is slow, got 0.5',
    ],
  ])('%s %j', (owner, options, message) => {
    expect(thrownBy(() => make(owner, options))).toMatchObject({ code: 'INVALID_OPTIONS', effect: 'none', retry: 'never', message })
  })

  test.each([
    ['circuitBreaker', { openMs: 500, openMaxMs: 500 }],
    ['retry', { delayMs: 500, delayMaxMs: 500 }],
    ['countWindow', { calls: 5, minimumCalls: 5 }],
    ['timeWindow', { slowCallMs: 0, slowRatio: 0.5 }],
  ])('and at their edge taken: %s %j', (owner, options) => {
    expect(() => make(owner, options)).not.toThrow()
  })
})

test.each([0, -1, 1.5, Number.NaN, Infinity, '3', null, undefined])('consecutive(%j) is refused', (failures) => {
  expect(thrownBy(() => consecutive(failures as number)).message).toBe(
    `consecutive: failures must be a whole number of at least 1, got ${JSON.stringify(failures) === '"3"' ? '"3"' : String(failures)}`,
  )
})

test('a fallback without an alternative is refused; null, false and 0 are alternatives', async () => {
  expect(thrownBy(() => fallback(undefined)).message).toContain('fallback: the alternative must be a value (null, perhaps)')
  for (const value of [null, false, 0, '']) expect(await fallback(value).run(() => Promise.reject(1))).toBe(value)
})

test('everything works without options where a default can serve', async () => {
  const guard = policies(retry(), circuitBreaker(), bulkhead())
  expect(await guard.run(() => 'ok')).toBe('ok')
  expect(await policies(retry({}), circuitBreaker({}), bulkhead({})).run(() => 'ok')).toBe('ok')
})

describe('a task', () => {
  const each = {
    circuitBreaker: circuitBreaker(),
    bulkhead: bulkhead(),
    retry: retry(),
    timeout: timeout({ timeoutMs: 100 }),
    fallback: fallback(1),
  }
  test.each(Object.entries(each))('that is no function is refused by %s, as a rejection', async (_, guard) => {
    for (const task of [undefined, null, 5, 'x', {}, Promise.resolve(1)]) {
      expect(codeOf(await guard.tryRun(task as never))).toBe('INVALID_INPUT')
      await expect(guard.run(task as never)).rejects.toThrow('run: the task must be a function')
    }
  })

  test.each(Object.entries(each))('that returns no promise is answered all the same by %s', async (_, guard) => {
    for (const value of [undefined, null, 5, 'x', false]) expect(await guard.run(() => value)).toBe(value)
    const thenable = Object.fromEntries([['then', (resolve: (value: string) => void) => resolve('thenable')]])
    expect(await guard.run(() => thenable as unknown as PromiseLike<string>)).toBe('thenable')
  })
})
