import { describe, expect, test } from 'vitest'
import { rowsOf, table } from '../../bench/harness/report.ts'
import { type Case, suite } from '../../bench/harness/suite.ts'

const fn = () => undefined
const baselines = { 'bare await': { fn }, peer: { fn } }
const measured = new Map([
  ['case a', { quiet: 90, median: 120, bytesPerOp: 800 }],
  ['baseline bare await', { quiet: 30, median: 30, bytesPerOp: 250 }],
  ['baseline bare await (caught)', { quiet: 45, median: 45 }],
  ['baseline peer', { quiet: 900, median: 900 }],
])
const rows = (item: Partial<Case>) => {
  const whole = { name: 'a', fn, ...item } as Case
  return rowsOf(suite('core', { baselines, cases: [whole] }), [whole], measured)
}

describe('a line of the report', () => {
  test('holds the case against the first baseline, as a ratio of quiet deciles', () => {
    expect(rows({}).map(({ line }) => line)).toEqual([
      {
        suite: 'core',
        case: 'a',
        unit: 'ns',
        better: 'lower',
        value: 90,
        baseline: 'bare await',
        baselineValue: 30,
        ratio: 3,
        bytesPerOp: 800,
      },
    ])
  })

  test('exists for each baseline that the case is held against', () => {
    expect(rows({ against: ['bare await', 'peer'] }).map(({ line }) => [line.baseline, line.ratio])).toEqual([
      ['bare await', 3],
      ['peer', 0.1],
    ])
  })

  test('compares a case whose errors are caught with a baseline in a loop that catches', () => {
    expect(rows({ throws: true })[0]?.line.ratio).toBe(2)
  })
})

describe('the table', () => {
  test.each([
    [{ target: { ratio: 3 } }, '≤ 3x met'],
    [{ target: { ratio: 2.9 } }, '≤ 2.9x MISSED'],
    [{ target: { ratio: 3, bytesMax: 799 } }, '≤ 3x, ≤ 799 B MISSED'],
    [{ better: 'higher', target: { ratio: 3 } }, '≥ 3x met'],
    [{ better: 'higher', target: { ratio: 4 } }, '≥ 4x MISSED'],
  ] as const)('says of %j: %s', (item, verdict) => {
    expect(table(rows(item), false).split('\n').at(-1)?.endsWith(verdict)).toBe(true)
  })
})

describe('a suite', () => {
  test('refuses two cases of one name', () => {
    const cases = [
      { name: 'a', fn },
      { name: 'a', fn },
    ]
    expect(() => suite('core', { baselines, cases })).toThrow('two cases are named "a"')
  })

  test('refuses a case that is held against an unknown baseline', () => {
    expect(() => suite('core', { baselines, cases: [{ name: 'a', fn, against: ['nothing'] }] })).toThrow('there is no baseline "nothing"')
  })
})
