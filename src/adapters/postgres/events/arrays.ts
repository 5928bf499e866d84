import type { SqlText } from '../../sql-shared/runner.ts'

const CONTROL = /\p{Cc}/u

/** An element of an array as PostgreSQL reads it: in quotes, with `"` and `\` behind a backslash. That is JSON, but for control characters. */
const element = (text: string): string => (CONTROL.test(text) ? `"${text.replace(/["\\]/g, '\\$&')}"` : JSON.stringify(text))

export function textArray(texts: readonly SqlText[]): string {
  let array = '{'
  for (let i = 0; i < texts.length; i++) {
    const text = texts[i]
    array += `${i === 0 ? '' : ','}${text === null || text === undefined ? 'NULL' : element(text)}`
  }
  return `${array}}`
}

export const numberArray = (numbers: readonly (number | bigint)[]): string => `{${numbers.join(',')}}`

/** What `numberArray` writes, or the server; null elements are NaN. */
export function numbersOf(array: SqlText): number[] {
  if (array === null || array.length <= 2) return []
  const numbers = array.slice(1, -1).split(',')
  return numbers.map(Number)
}
