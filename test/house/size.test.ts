import { expect, test } from 'vitest'
import { sourcesIn } from './sources.ts'

const longerThan = (folder: string, linesMax: number) =>
  sourcesIn(folder)
    .map(({ path, text }) => ({ path, lines: text.trimEnd().split('\n').length }))
    .filter(({ lines }) => lines > linesMax)
    .map(({ path, lines }) => `${path}: ${lines} lines, at most ${linesMax}`)

test.each([
  ['src', 300],
  ['test', 400],
])('no file in %s is longer than %i lines', (folder, linesMax) => {
  expect(longerThan(folder, linesMax)).toEqual([])
})
