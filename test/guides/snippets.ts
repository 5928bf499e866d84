import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Where the package lies. */
export const root = fileURLToPath(new URL('../../', import.meta.url))

/** One block of TypeScript of a guide: a module of its own. */
export interface Snippet {
  readonly guide: string
  /** Where its first line is in the guide. */
  readonly line: number
  readonly code: string
  /** Whether its fence says `ts run`: it prints what its comments say. */
  readonly runs: boolean
  /** What it needs besides the package: `ts run postgres`. */
  readonly needs: 'postgres' | 'redis' | undefined
}

export const guideText = (guide: string): string => readFileSync(join(root, 'docs/guides', guide), 'utf8')

/** All blocks of a guide that are TypeScript, word for word. */
export function snippetsOf(guide: string, text = guideText(guide)): readonly Snippet[] {
  const found: Snippet[] = []
  for (const { index, 1: info = '', 2: code = '' } of text.matchAll(/^```(ts\b[^\n]*)\n([\s\S]*?)^```$/gm)) {
    const kind = /^ts( run(?: (postgres|redis))?)?$/.exec(info)
    if (kind === null) throw new Error(`${guide}: unknown kind of block: ${info}`)
    const needs = kind[2] as Snippet['needs']
    found.push({ guide, line: text.slice(0, index).split('\n').length + 1, code, runs: kind[1] !== undefined, needs })
  }
  return found
}

/** What a snippet says that it prints: the comment behind each `console.log`. */
export const promisedOutput = (code: string): readonly string[] =>
  [...code.matchAll(/console\.log\(.*?\) \/\/ → (.+)$/gm)].map(([, printed]) => printed as string)
