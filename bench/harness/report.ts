// One line per case and baseline: as a table for people, as JSON for programs.
import type { Measured } from './measure.ts'
import type { Case, Suite } from './suite.ts'

export interface Line {
  readonly suite: string
  readonly case: string
  readonly unit: string
  readonly better: 'lower' | 'higher'
  readonly value: number
  readonly baseline: string
  readonly baselineValue: number
  readonly ratio: number
  readonly bytesPerOp?: number
}

interface Row {
  readonly line: Line
  readonly medianRatio: number
  readonly target: Case['target']
}

const rounded = (value: number) => Number(value.toPrecision(5))

export const baselinesOf = (suite: Suite, { against }: Case): readonly string[] => against ?? Object.keys(suite.baselines).slice(0, 1)

export const caseKey = ({ name }: Case) => `case ${name}`
/** A case whose errors are caught is held against a baseline in a loop that catches, too. */
export const baselineKey = ({ throws }: Case, baseline: string) => `baseline ${baseline}${throws ? ' (caught)' : ''}`

export function rowsOf(suite: Suite, cases: readonly Case[], measured: ReadonlyMap<string, Measured>): Row[] {
  return cases.flatMap((item) =>
    baselinesOf(suite, item).map((baseline, index) => {
      const own = measured.get(caseKey(item)) ?? { quiet: Number.NaN, median: Number.NaN }
      const base = measured.get(baselineKey(item, baseline)) ?? { quiet: Number.NaN, median: Number.NaN }
      const [value, baselineValue] = [rounded(own.quiet), rounded(base.quiet)]
      const line: Line = {
        suite: suite.name,
        case: item.name,
        unit: item.unit ?? 'ns',
        better: item.better ?? 'lower',
        value,
        baseline,
        baselineValue,
        ratio: rounded(value / baselineValue),
        ...(own.bytesPerOp === undefined ? {} : { bytesPerOp: own.bytesPerOp }),
      }
      return { line, medianRatio: own.median / base.median, target: item.targets?.[baseline] ?? (index === 0 ? item.target : undefined) }
    }),
  )
}

/** What the target was and whether it was met; empty without a target. */
function verdict({ line, target }: Row): { readonly text: string; readonly met: boolean } {
  if (!target) return { text: '', met: true }
  const lower = line.better === 'lower'
  const parts = [
    ...(target.ratio === undefined
      ? []
      : [{ text: `${lower ? '≤' : '≥'} ${target.ratio}x`, met: lower ? line.ratio <= target.ratio : line.ratio >= target.ratio }]),
    ...(target.valueMax === undefined ? [] : [{ text: `≤ ${target.valueMax} ${line.unit}`, met: line.value <= target.valueMax }]),
    ...(target.bytesMax === undefined ? [] : [{ text: `≤ ${target.bytesMax} B`, met: (line.bytesPerOp ?? 0) <= target.bytesMax }]),
  ]
  const met = parts.every((part) => part.met)
  return { text: `${parts.map((part) => part.text).join(', ')} ${met ? 'met' : 'MISSED'}`, met }
}

const number = (value: number) => (value >= 100 ? value.toFixed(0) : value.toFixed(2))

export function table(rows: readonly Row[], colour: boolean): string {
  const head = ['case', 'value', 'against', 'its value', 'ratio', 'median ratio', 'B/op', 'target']
  const cells = rows.map((row) => {
    const { line, medianRatio } = row
    return [
      line.case,
      `${number(line.value)} ${line.unit}`,
      line.baseline,
      `${number(line.baselineValue)} ${line.unit}`,
      `${line.ratio.toFixed(2)}x`,
      `${medianRatio.toFixed(2)}x`,
      line.bytesPerOp === undefined ? '' : String(line.bytesPerOp),
      verdict(row).text,
    ]
  })
  const widths = head.map((title, column) => Math.max(title.length, ...cells.map((row) => row[column]?.length ?? 0)))
  const print = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  const lines = cells.map((row, index) => {
    const item = rows[index]
    return colour && item && !verdict(item).met ? `\u001b[31m${print(row)}\u001b[39m` : print(row)
  })
  return [print(head), print(widths.map((width) => '-'.repeat(width))), ...lines].join('\n')
}
