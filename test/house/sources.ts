// The sources as the house rules see them: path, text, and what each file imports.
import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))

export interface Source {
  readonly path: string
  readonly text: string
}

export function sourcesIn(folder: string): Source[] {
  return readdirSync(root + folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => `${entry.parentPath}/${entry.name}`.slice(root.length))
    .sort()
    .map((path) => ({ path, text: readFileSync(root + path, 'utf8') }))
}

export interface Import {
  readonly line: number
  readonly statement: string
  /** A path from the repository's root, or the name of a package. */
  readonly target: string
}

const specifier = /(?:\bfrom|^\s*import|\bimport\s*\(|^declare module)\s*['"]([^'"]+)['"]/gm
const comment = /\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm

/** Static, type-only, re-exporting and dynamic imports alike. */
export function importsOf({ path, text }: Source): Import[] {
  // Examples in comments import too; their lines are kept, so that the numbers stay right.
  const code = text.replace(comment, (all) => all.replace(/[^\n]/g, ''))
  return [...code.matchAll(specifier)].map((match) => {
    const from = match[1] ?? ''
    const line = code.slice(0, match.index + match[0].length).split('\n').length
    const statement = text.split('\n')[line - 1]?.trim() ?? ''
    return { line, statement, target: from.startsWith('.') ? posix.join(posix.dirname(path), from) : from }
  })
}
